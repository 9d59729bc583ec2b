"""A chapter's first and last lines, and its explorers."""
