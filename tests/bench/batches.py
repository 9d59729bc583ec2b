"""Batches: what kills, crowds and scheduling cost; real processes, real files."""

import contextlib
import json
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

from lazyrich_helpers.analysis.tables import reinit_table
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import collect, states
from lazyrich_helpers.experiments.records import Store
from tests.bench.sample import Sample, in_turns, seconds
from tests.bench.setting import Options

TITLE = "batches: records lost, work done twice, runs per hour, overhead, loading"
COMMAND = (sys.executable, "-m", "lazyrich_helpers.run", "figure-2", "--device", "cpu")


def rows(options: Options) -> list[dict[str, object]]:
    """Measure each, with its target beside it."""
    return [
        *_kills(options),
        *_launchers(options),
        _resumed(options),
        *_workers(options),
        _overhead(options),
        _loading(options),
    ]


def _row(what: str, measured: object, target: str) -> dict[str, object]:
    return {"what": what, "measured": measured, "target": target}


@dataclass(frozen=True)
class _Sweep:
    """A batch of its own folder: one seed of each width, digits."""

    folder: Path
    widths: tuple[int, ...]
    num_epochs: int

    @property
    def choices(self) -> tuple[str, ...]:
        widths = [str(width) for width in self.widths]
        words = ("--budget", "smoke", "--lrs", "0.1", "--seeds", "0", "--widths")
        return (*words, *widths, "--num-epochs", str(self.num_epochs))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Launch it in a process group of its own."""
        return subprocess.Popen(
            [*COMMAND, *self.choices, *words],
            env=os.environ | {"LAZYRICH_STORE": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def store(self) -> Store:
        return Store(self.folder / "records", self.folder / "weights")

    def claims(self) -> set[str]:
        """Return the claims on runs, of processes dead or alive."""
        found = (self.folder / "records" / ".locks").glob("*[0-9a-f].claim")
        texts = set()
        for path in found:
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

    def words(self) -> Counter[str]:
        """Return how many runs are recorded, missing and so on."""
        recipe = make_recipe(
            "figure-2",
            "smoke",
            widths=self.widths,
            seeds=[0],
            lrs=[0.1],
            num_epochs=self.num_epochs,
        )
        return Counter(each.word for each in states(recipe, self.store))


def _trained(output: str) -> Counter[str]:
    """Return how often each run was trained to its end, by what the commands said."""
    return Counter(re.findall(r"^\[\d+/\d+\] (.+): .+ test accuracy", output, re.M))


def _kills(options: Options) -> list[dict[str, object]]:
    """Kill a sweep of two workers, all processes at once, at random moments."""
    num, moments = (20 if not options.quick else 1), random.Random(0)
    widths = tuple(range(100, 100 + (160 if not options.quick else 6)))
    lost, in_hand, before, output = 0, [], {}, ""
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), widths, 100 if not options.quick else 20)
        for _ in range(num):
            old = sweep.claims()  # of those that were killed before
            process = sweep.start("--workers", "2")
            sweep.wait_for_work(process, old)
            time.sleep(moments.uniform(0, 4 if not options.quick else 0.2))
            os.killpg(process.pid, signal.SIGKILL)
            output += process.communicate()[0]
            in_hand.append(len(sweep.claims() - old))
            now = sweep.records()
            lost += sum(now.get(name) != before[name] for name in before)
            before = now
        survived = len(before)
        process = sweep.start("--workers", "2")
        output += process.communicate()[0]
        words, trained = sweep.words(), _trained(output)
    return [
        _row(f"finished records lost or changed by {num} kills", lost, "0"),
        _row(
            "records done at the last kill, at the end",
            [survived, words["recorded"]],
            "-",
        ),
        _row(
            "records unreadable or missing at the end",
            words.total() - words["recorded"],
            "0",
        ),
        _row("runs in hand at a kill, at most", max(in_hand), "1 a worker"),
        _row(
            "runs trained to their end twice", sum(n > 1 for n in trained.values()), "0"
        ),
    ]


def _launchers(options: Options) -> list[dict[str, object]]:
    """Start the same sweep twice at once."""
    widths = tuple(range(20, 20 + (40 if not options.quick else 6)))
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), widths, 50 if not options.quick else 10)
        processes = [sweep.start("--workers", "1") for _ in range(2)]
        output = "".join(process.communicate()[0] for process in processes)
        words, trained = sweep.words(), _trained(output)
    double = sum(count > 1 for count in trained.values())
    return [
        _row(f"two launchers, {len(widths)} runs: trained twice", double, "0"),
        _row("two launchers: lost", len(widths) - words["recorded"], "0"),
    ]


def _resumed(options: Options) -> dict[str, object]:
    """Stop a run again and again; compare it with one that was not."""
    interruptions, found = 0, []
    epochs = 2000 if not options.quick else 300
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for folder, stops in ((one, True), (other, False)):
            sweep = _Sweep(Path(folder), (64,), epochs)
            while not sweep.records():
                process = sweep.start("--workers", "1")
                stops = stops and not (options.quick and interruptions)
                if stops:
                    sweep.wait_for_work(process, set())
                    time.sleep(0.5)
                    process.terminate()
                process.communicate()
                interruptions += stops and process.returncode == 130
            (run_id,) = sweep.store.ids()
            record = sweep.store.read(run_id)
            assert record is not None
            found.append((record.origin["weights"], record.curves, record.measures))
    same = "the same bits" if found[0] == found[1] else "DIFFERENT"
    return _row(
        f"a run interrupted {interruptions} times, and a straight one", same, "-"
    )


def _workers(options: Options) -> list[dict[str, object]]:
    """Compare two processes with one, both at work: the start does not count."""
    result = []
    for width in (100, 200, 500) if not options.quick else (8,):
        widths = tuple(range(width, width + (16 if not options.quick else 4)))
        num_epochs = {100: 150, 200: 120, 500: 100}.get(width, 2)
        ways = {
            name: lambda words=words, widths=widths, num=num_epochs: _seconds_a_run(
                widths, num, words
            )
            for name, words in {
                "one process, one thread": ("--workers", "1", "--threads", "1"),
                "one process, two threads": ("--workers", "1", "--threads", "2"),
                "two processes": ("--workers", "2", "--threads", "2"),
            }.items()
        }
        num = max(1, options.repetitions // 3)
        if options.quick:
            num = 1
            del ways["one process, two threads"]
        found = in_turns(ways, num=num, warm_up=0)
        two = found.pop("two processes")
        result += [
            _row(f"w = {width}: {name} over two", sample.over(two), "1.8 or more")
            for name, sample in found.items()
        ]
    return result


def _seconds_a_run(
    widths: tuple[int, ...], num_epochs: int, words: tuple[str, ...]
) -> float:
    """Return the seconds from record to record, the first two left out."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), widths, num_epochs)
        process = sweep.start(*words)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        found = (sweep.folder / "records").glob("*.json")
        _, first, *_, last = sorted(path.stat().st_mtime for path in found)
    return (last - first) / (len(widths) - 2)


def _overhead(options: Options) -> dict[str, object]:
    """Return what a run costs beside its own training and measures, in one process."""
    widths = tuple(range(20, 20 + (60 if not options.quick else 3)))
    shares = []
    for _ in range(1 if options.quick else max(1, options.repetitions // 3)):
        with tempfile.TemporaryDirectory() as folder:
            sweep = _Sweep(Path(folder), widths, 1)
            total = _whole_of(sweep)
            records = [sweep.store.read(run_id) for run_id in sweep.store.ids()]
            own = sum(record.times["total"] for record in records if record is not None)
            shares.append((total - own) / len(widths))
    what = f"overhead a run, of {len(widths)}, start included, s"
    return _row(what, Sample(tuple(shares)), "under 1")


def _whole_of(sweep: _Sweep) -> float:
    return seconds(lambda: sweep.start("--workers", "1").communicate())


def _loading(options: Options) -> dict[str, object]:
    """Read many records, each a copy of a real one under a name of its own."""
    num = 10_000 if not options.quick else 20
    with tempfile.TemporaryDirectory() as folder:
        sweep = _Sweep(Path(folder), (20,), 100 if not options.quick else 1)
        sweep.start().communicate()
        recipe = make_recipe(
            "figure-2",
            "smoke",
            widths=[20],
            seeds=list(range(num)),
            lrs=[0.1],
            num_epochs=sweep.num_epochs,
        )
        (first,) = sweep.records().values()
        for config in recipe.configs:
            values = json.loads(first)
            values |= {"run_id": config.run_id, "config": config.to_dict()}
            path = sweep.store.folder / f"{config.run_id}.json"
            path.write_text(json.dumps(values), encoding="utf-8")

        took = seconds(lambda: reinit_table(collect(recipe, sweep.store).records))
    return _row(f"{num} records into a table, s", f"{took:.2f}", "under 5")
