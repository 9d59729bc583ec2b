"""Chapters as tests: what `pytest book` sets before nbval starts their kernels."""

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let notebooks, which know no fixtures, really train: smoke, in an empty store."""
    empty = tempfile.TemporaryDirectory()
    config.add_cleanup(empty.cleanup)
    os.environ |= {"LAZYRICH_BUDGET": "smoke", "LAZYRICH_STORE": empty.name}
