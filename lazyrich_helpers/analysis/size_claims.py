"""The paper's claim about how large its networks are (S5)."""

from collections.abc import Sequence

from lazyrich_helpers.analysis.everywhere import word_of
from lazyrich_helpers.analysis.verdicts import NOT_RUN, Claim, Finding
from lazyrich_helpers.experiments.record import Record


def _as_large(records: Sequence[Record], *, size: int) -> Finding:
    if not records:
        return NOT_RUN
    found = sum(layer["num_parameters"] for layer in records[0].costs["layers"])
    return Finding(
        word_of(found == size),
        f"Ours has {found:,}; what the paper leaves open "
        "of its layers we read so that its number comes out.",
    )


SIZES = {
    network: Claim("S5", f"{network} has {{size:,}} parameters", _as_large, {"size": n})
    for network, n in {"VGG-5": 3_646_154, "ResNet-18": 11_173_962}.items()
}
"""Network of Figure 1 → the claim, which is about records of one."""
