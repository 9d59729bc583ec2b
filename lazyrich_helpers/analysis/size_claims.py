"""The paper's claim about how large its networks are (S5)."""

from lazyrich_helpers.analysis.verdicts import Claim, Finding, word_of
from lazyrich_helpers.training.run_config import RunConfig


def _as_large(config: RunConfig, *, size: int) -> Finding:
    network = config.blueprint()
    found = sum(p.numel() for p in network.parameters())
    return Finding(word_of(found == size), f"Ours has {found:,}.")


SIZES = {
    recipe: Claim("S5", f"{name} has {{size:,}} parameters", _as_large, {"size": size})
    for recipe, name, size in (
        ("vgg5", "VGG-5", 3_646_154),
        ("resnet18", "ResNet-18", 11_173_962),
    )
}
"""Recipe's network → the claim about Figure 1's; they are about a run's config."""
