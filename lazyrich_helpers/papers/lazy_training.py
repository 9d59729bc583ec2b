"""Lazy training: studies and claims of Chizat, Oyallon & Bach (2019)."""

from lazyrich_helpers.analysis.verdicts import Verdict
from lazyrich_helpers.papers.lazy_training_images import IMAGES
from lazyrich_helpers.papers.lazy_training_kappa import KAPPA
from lazyrich_helpers.papers.lazy_training_laws import LAWS
from lazyrich_helpers.papers.lazy_training_paths import PATHS
from lazyrich_helpers.papers.lazy_training_scales import SCALE, WIDTH

PAPER = "Chizat, Oyallon & Bach (2019)"
PAGE = "book/papers/lazy_training"
STUDIES = (LAWS, KAPPA, SCALE, WIDTH, PATHS, IMAGES)


def verdicts() -> tuple[Verdict, ...]:
    """Return what the recorded studies say of the claims."""
    return ()
