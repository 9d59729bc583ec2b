"""What determines a run's numbers, and the loop that trains it."""
