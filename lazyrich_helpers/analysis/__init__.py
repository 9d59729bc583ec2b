"""Records → tables, claims with their verdicts, figures."""
