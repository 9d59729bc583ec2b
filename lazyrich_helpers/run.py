"""Recipes → records from a shell: `python -m lazyrich_helpers.run --help`.

Torch takes seconds to import, from a network file system a minute. So the words are
read, and something is said, before it is.
"""

import io
import os
import sys
from collections.abc import Sequence

from lazyrich_helpers.runner.command_line import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 (a run failed) or 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no ±, say
            stream.reconfigure(errors="replace")
    options = parse(sys.argv[1:] if arguments is None else arguments)
    is_first = os.environ.get("RANK", "0") == "0"  # of processes that share a network
    if "torch" not in sys.modules and is_first:
        print("Loading torch.", file=sys.stderr, flush=True)
    from lazyrich_helpers.runner.tasks import perform

    return perform(options, study=_study)


def _study(names: list[str], budget: str, device: str) -> int:
    from lazyrich_helpers.papers.studies import run_studies  # needs more than torch

    return run_studies(names, budget, device)


if __name__ == "__main__":
    sys.exit(main())
