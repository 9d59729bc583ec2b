"""A test that takes its process down is named in the last line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEADLY = """
import faulthandler, os, signal
def test_well(): pass
def test_ill():
    faulthandler.disable()
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def run(folder: Path, name: str) -> list[str]:
    """Run one test of `folder` as `make test` does; return the lines it printed."""
    python = sys.executable
    command = (
        f"{python} -m pytest -q -p tests.last_test -k {name} test_one.py"
        f" || {python} -m tests.last_test $?"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60
    )
    return [str(done.returncode), *done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").touch()
    plugin = Path(__file__).with_name("last_test.py")
    shutil.copy(plugin, tmp_path / "tests" / "last_test.py")
    (tmp_path / "test_one.py").write_text(DEADLY)
    return tmp_path


def test_the_dead_one_is_named(folder):
    lines = run(folder, "ill")
    assert lines[0] == "139"
    assert lines[-1] == "pytest was ended by SIGSEGV in test_one.py::test_ill"


def test_nobody_is_named_where_all_live(folder):
    lines = run(folder, "well")
    assert lines[0] == "0" and "ended" not in lines[-1]
