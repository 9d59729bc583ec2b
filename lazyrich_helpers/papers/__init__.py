"""Neighbouring papers: their recipes, claims, tables and figures."""
