"""Batches: what kills and crowds cost; real processes, real files."""

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

TITLE = "batches: records lost, work done twice, bits after interruptions"
COMMAND = (sys.executable, "-m", "lazyrich_helpers.run", "figure-2", "--device", "cpu")


def rows(options: Options) -> list[dict[str, object]]:
    """Measure each, with its target beside it."""
    launchers = [] if options.quick else _launchers(options)  # `test_run` has them
    return [*_kills(options), *launchers, _resumed(options)]


def _row(what: str, measured: object, target: str) -> dict[str, object]:
    return {"what": what, "measured": measured, "target": target}


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


def _kills(options: Options) -> list[dict[str, object]]:
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
    return [
        _row(f"finished records lost or changed by {num} kills", changed, "0"),
        _row(f"of {len(widths)}, done at the last kill", len(before), "-"),
        _row("records unreadable or missing at the end", lost, "0"),
        _row("runs in hand at a kill, at most", max(in_hand), "1 a worker"),
        _row("runs trained to their end twice", twice, "0"),
    ]


def _launchers(options: Options) -> list[dict[str, object]]:
    """Start the same sweep twice at once."""
    widths = range(20, 60)
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), widths, 50)
        processes = [sweep.start(workers=1) for _ in range(2)]
        output = "".join(process.communicate()[0] for process in processes)
        lost, twice = sweep.ends(output)
    return [
        _row(f"two launchers, {len(widths)} runs: trained twice", twice, "0"),
        _row("two launchers: lost", lost, "0"),
    ]


def _resumed(options: Options) -> dict[str, object]:
    """Stop a run again and again; compare it with one that was not."""
    interruptions, found = 0, []
    epochs = 2000 if not options.quick else 300
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for folder, stops in ((one, True), (other, False)):
            sweep = _Sweep(Path(folder), range(64, 65), epochs)
            while not sweep.records():
                process = sweep.start(workers=1)
                stops = stops and not (options.quick and interruptions)
                if stops:
                    sweep.wait_for_work(process, set())
                    time.sleep(0.5)
                    process.terminate()
                process.communicate()
                interruptions += stops and process.returncode == 130
            store = Store(sweep.folder / "records", sweep.folder / "weights")
            record = store.read(*store.ids())
            assert record is not None
            found.append((record.origin["weights"], record.curves, record.measures))
    same = "the same bits" if found[0] == found[1] else "DIFFERENT"
    return _row(
        f"a run interrupted {interruptions} times, and a straight one", same, "-"
    )
