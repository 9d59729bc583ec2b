"""Recipes, one per exhibit of the paper, and records, one per trained network."""
