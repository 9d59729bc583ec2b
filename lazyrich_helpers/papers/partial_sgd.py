"""Masked training with partial gradients: its studies and claims."""

from lazyrich_helpers.papers.partial_sgd_bound import BOUND
from lazyrich_helpers.papers.partial_sgd_samplers import SAMPLERS
from lazyrich_helpers.papers.partial_sgd_transformer import TRANSFORMER
from lazyrich_helpers.papers.partial_sgd_widths import WIDTHS

PAPER = "Mohtashami, Jaggi & Stich (2022)"
PAGE = "book/papers/partial_sgd"
STUDIES = (BOUND, SAMPLERS, WIDTHS, TRANSFORMER)
