"""Atanasov et al. (2024): the plane of feature-learning strength and learning rate."""
