"""Layer-Wise Sparse training: which layers move, and what the others save."""
