"""The paper's claim about how large its networks are (S5)."""

from lazyrich_helpers.analysis.claims.everywhere import word_of
from lazyrich_helpers.analysis.claims.verdicts import Claim, Finding
from lazyrich_helpers.measures.costs import num_parameters
from lazyrich_helpers.training.run_config import RunConfig


def _as_large(config: RunConfig, *, size: int) -> Finding:
    found = num_parameters(config)
    return Finding(
        word_of(found == size),
        f"Ours has {found:,}; what the paper leaves open of its layers we read so that "
        "its number comes out.",
    )


SIZES = {
    network: Claim("S5", f"{network} has {{size:,}} parameters", _as_large, {"size": n})
    for network, n in {"VGG-5": 3_646_154, "ResNet-18": 11_173_962}.items()
}
"""Network of Figure 1 → the claim, which is about a run; it need not be done."""
