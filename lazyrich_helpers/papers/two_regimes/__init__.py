"""Leclerc & Madry (2020): two regimes of training, by the size of the steps."""
