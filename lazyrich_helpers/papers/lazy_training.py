"""Lazy training: studies and claims of Chizat, Oyallon & Bach (2019)."""

from lazyrich_helpers.analysis.verdicts import Verdict
from lazyrich_helpers.papers import lazy_training_scales as scales

PAPER = "Chizat, Oyallon & Bach (2019)"
PAGE = "book/papers/lazy_training"
STUDIES = (scales.SCALE, scales.WIDTH)


def verdicts() -> tuple[Verdict, ...]:
    """Return what the recorded studies say of the claims."""
    return ()
