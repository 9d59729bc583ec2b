"""A pytest plugin that notes which test runs; as a program, it names the one that died.

A segmentation fault ends pytest without a summary. `pytest … || python -m
tests.last_test $?` then says in the last line which test it was.
"""

import signal
import sys
from pathlib import Path

import pytest

NOTE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "running"


def pytest_runtest_logstart(nodeid: str, location: object) -> None:
    """Note the test that begins, in this process and not in one that it starts."""
    NOTE.parent.mkdir(exist_ok=True)
    NOTE.write_text(nodeid, encoding="utf-8")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Pytest lived to tell."""
    NOTE.unlink(missing_ok=True)


def main(status: int) -> int:
    """Name the test during which pytest died, if it did; return its exit status."""
    if NOTE.exists():
        number = status - 128 if status > 128 else -status
        known = number in {each.value for each in signal.Signals}
        how = f"by {signal.Signals(number).name}" if known else f"with status {status}"
        print(f"pytest was ended {how} in {NOTE.read_text(encoding='utf-8')}")
        NOTE.unlink()
    return status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
