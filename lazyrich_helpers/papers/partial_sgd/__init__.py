"""Masked training: steps on a part of the gradient."""
