"""Walker et al. (2025): networks that generalize late, and their Jacobians."""
