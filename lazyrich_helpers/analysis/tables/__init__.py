"""Records as tables, and means over seeds with their uncertainty."""
