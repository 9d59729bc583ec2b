"""One folder per neighbouring paper: its studies, claims, tables and figures."""
