"""What kills cost a sweep; real processes, real files."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import states
from lazyrich_helpers.experiments.records import Store
from tests.bench.setting import Options

TITLE = "batches: records lost and work done twice after kills"
COMMAND = (sys.executable, "-m", "lazyrich_helpers.run", "figure-2", "--device", "cpu")


@dataclass(frozen=True)
class _Sweep:
    """A batch of its own folder: one seed of each width, digits."""

    folder: Path
    widths: range
    num_epochs: int

    def start(self, workers: int) -> subprocess.Popen[str]:
        """Launch it in a process group of its own."""
        words = ["--budget", "smoke", "--lrs", "0.1", "--seeds", "0"]
        words += ["--num-epochs", str(self.num_epochs), "--workers", str(workers)]
        return subprocess.Popen(
            [*COMMAND, *words, "--widths", *map(str, self.widths)],
            env=os.environ | {"LAZYRICH_STORE": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def claims(self) -> set[str]:
        """Return the claims on runs, of processes dead or alive."""
        texts = set()
        for path in (self.folder / "records" / ".locks").glob("*[0-9a-f].claim"):
            if ".write" not in path.name:
                with contextlib.suppress(FileNotFoundError):
                    texts.add(path.read_text())
        return texts

    def wait_for_work(self, process: subprocess.Popen[str], before: set[str]) -> None:
        """Wait until a run is claimed anew, or the process ends."""
        while not self.claims() - before and process.poll() is None:
            time.sleep(0.01)

    def records(self) -> dict[str, bytes]:
        found = (self.folder / "records").glob("*.json")
        return {path.name: path.read_bytes() for path in found}

    def ends(self, output: str) -> tuple[int, int]:
        """Return how many runs are not recorded, and how many ended more than once."""
        choices = {"widths": list(self.widths), "seeds": [0], "lrs": [0.1]}
        recipe = make_recipe("figure-2", "smoke", num_epochs=self.num_epochs, **choices)
        store = Store(self.folder / "records", self.folder / "weights")
        lost = sum(each.word != "recorded" for each in states(recipe, store))
        ended = re.findall(r"^\[\d+/\d+\] (.+): .+ test accuracy", output, re.M)
        return lost, sum(num > 1 for num in Counter(ended).values())


def rows(options: Options) -> list[dict[str, object]]:
    """Kill a sweep of two workers, all processes at once, at random moments."""
    num, moments = (20 if not options.quick else 1), random.Random(0)
    widths = range(100, 260 if not options.quick else 106)
    changed, in_hand, before, output = 0, [], {}, ""
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), widths, 100 if not options.quick else 20)
        for _ in range(num):
            old = sweep.claims()  # of those that were killed before
            process = sweep.start(workers=2)
            sweep.wait_for_work(process, old)
            time.sleep(moments.uniform(0, 4 if not options.quick else 0.2))
            os.killpg(process.pid, signal.SIGKILL)
            output += process.communicate()[0]
            in_hand.append(len(sweep.claims() - old))
            now = sweep.records()
            changed += sum(now.get(name) != before[name] for name in before)
            before = now
        output += sweep.start(workers=2).communicate()[0]
        lost, twice = sweep.ends(output)
    found = (
        (f"finished records lost or changed by {num} kills", changed, "0"),
        (f"of {len(widths)}, done at the last kill", len(before), "-"),
        ("records unreadable or missing at the end", lost, "0"),
        ("runs in hand at a kill, at most", max(in_hand), "1 a worker"),
        ("runs trained to their end twice", twice, "0"),
    )
    names = ("what", "measured", "target")
    return [dict(zip(names, row, strict=True)) for row in found]
