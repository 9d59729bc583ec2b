"""A process of its own that executes a notebook with papermill."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE = 10.0
"""Seconds that processes have to end by themselves, kernels and all."""
START_TIMEOUT = 300
"""Seconds that a kernel may take to start where others keep the machine busy."""


class PapermillProcess:
    """Executes a notebook; started when made.

    Args:
        notebook: What to execute.
        draft: Where papermill writes, cell by cell.
        parameters: For the notebook.
        variables: The environment of the process and of its kernel.

    Raises:
        OSError: If it cannot be started.
    """

    def __init__(
        self,
        notebook: Path,
        draft: Path,
        parameters: dict[str, Any],
        variables: dict[str, str],
    ) -> None:
        import yaml

        options = ["--no-progress-bar", "--log-level", "ERROR"]
        options += ["--start-timeout", str(START_TIMEOUT)]
        # JSON would not do: it writes 1e-05, which is a string in YAML
        options += ["-y", yaml.safe_dump(parameters)]
        self.draft = draft
        self.begun = time.monotonic()
        self._errors = tempfile.TemporaryFile()  # a pipe that nobody reads fills up
        self._process = subprocess.Popen(
            [sys.executable, "-m", "papermill", str(notebook), str(draft), *options],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # a Ctrl-C is ours to pass on
        )

    @property
    def status(self) -> int | None:
        """Exit status, negative where a signal ended it; None while it runs."""
        return self._process.poll()

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.begun

    def errors(self) -> str:
        """Return what it wrote to stderr so far."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def interrupt(self) -> None:
        """Ask it to shut its kernel down and end."""
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End it, if it still runs, and forget what it wrote.

        Its kernel ends by itself where its parent is gone.
        """
        self._process.kill()
        self._process.wait()
        self._errors.close()


def stop(processes: Sequence[PapermillProcess]) -> None:
    """End processes: they are asked first, and made to where they take too long."""
    deadline = time.monotonic() + PATIENCE
    try:
        for process in processes:
            process.interrupt()
        while any(p.status is None for p in processes) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:  # whoever is impatient presses Ctrl-C again
        for process in processes:
            process.close()


def environment(workers: int) -> dict[str, str]:
    """Return the environment of each of `workers` processes at a time.

    They share the processor's threads, unless `OMP_NUM_THREADS` says how many each may
    use. `LAZYRICH_BUDGET` is left out: it would outrank a point's own.
    """
    available = len(os.sched_getaffinity(0))
    variables = {"OMP_NUM_THREADS": str(max(1, available // workers)), **os.environ}
    variables.pop("LAZYRICH_BUDGET", None)
    return variables
