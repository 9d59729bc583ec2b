"""Benchmarks: `python -m tests.bench [name...] [--quick]`; no test times anything."""
