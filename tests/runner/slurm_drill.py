"""A bad day on a cluster: `python -m tests.runner.slurm_drill`.

Twelve runs are submitted to a private cluster of two nodes. One node crashes, what is
left is cancelled and submitted again, and that runs out of time and goes back to the
queue. At the end every run must be recorded, and trained to its end once.
"""

import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner.options import SlurmOptions
from lazyrich_helpers.runner.slurm import submit
from lazyrich_helpers.runner.slurm_queue import cancel, folder_of, in_queue, status
from lazyrich_helpers.training.run_config import label
from tests.runner import slurm_cluster, slurm_grid

OPTIONS = SlurmOptions(time="1m", cpus_per_task=2, runs_per_job=6)
"""A job has a node for itself, and more runs than fit into its time: Slurm has no
shorter one."""
RUNS = slurm_grid.slow(seconds=12, num=12)
RECIPE = slurm_grid.recipe(*RUNS)
START = time.monotonic()


def main() -> int:
    """Go through it; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="slurm-drill-") as name:
        store = Store(Path(name) / "records", Path(name) / "weights")
        try:
            with slurm_cluster.start() as cluster:
                crash(cluster, store)
                resubmit(cluster, store)
                say(status(store))
        except (RuntimeError, ValueError) as error:
            say(f"{type(error).__name__}: {error}")
            return 1
        wrong = [*not_as_recorded(store), *not_as_told(store)]
    say("; ".join(wrong) or f"All {len(RUNS)} runs are recorded, each trained once.")
    return 1 if wrong else 0


def crash(cluster: slurm_cluster.Cluster, store: Store) -> None:
    """Submit all runs, and lose a node amid them."""
    say(str(submit([RECIPE], store, OPTIONS, device="cpu")))
    wait("a first record", 60, lambda: store.ids())
    (lost,) = cluster.jobs_on("one")
    cluster.kill_node("one")
    say(f"The daemon of node one is killed, with {len(store.ids())} runs recorded.")
    wait("its job to be taken away", 60, lambda: lost not in cluster.jobs_on("one"))
    queue = in_queue(store)
    say(f"Slurm has found out. Nodes: {cluster.node_states()}; jobs: {list(queue)}.")
    if lost not in queue:
        raise RuntimeError(f"job {lost} was not put back into the queue")
    say(str(submit([RECIPE], store, OPTIONS, device="cpu")))


def resubmit(cluster: slurm_cluster.Cluster, store: Store) -> None:
    """Cancel what is left and submit it again; see it through to the end."""
    say(f"{cancel(store)} jobs cancelled.")
    cluster.start_node("one")
    say(str(submit([RECIPE], store, OPTIONS, device="cpu")))
    seen: set[str] = set()

    def has_ended() -> bool:
        said = status(store)
        if said not in seen:
            say(said)
        seen.add(said)
        return not in_queue(store)

    wait("the end of all jobs", 400, has_ended)


def not_as_recorded(store: Store) -> list[str]:
    """Return what is wrong with the records: of a run, or left over."""
    wrong = []
    for config in RUNS:
        record = store.read(config.run_id)
        if record is None or record.status != "ok":
            wrong.append(f"{label(config)} is not recorded")
        elif len(record.curves["epoch"]) != config.training.num_epochs:
            wrong.append(f"{label(config)} has epochs {record.curves['epoch']}")
    expected = {f"{config.run_id}.json" for config in RUNS} | {".locks"}
    origins = [store.read(run_id).origin for run_id in store.ids()]  # type: ignore[union-attr]
    num = sum("resumed" in origin for origin in origins)
    say(f"{num} runs went on from a checkpoint.")
    wrong += [] if num else ["no run went on from a checkpoint"]
    found = {path.name for path in store.folder.iterdir()}
    return wrong + [f"{name} is left over" for name in sorted(found - expected)]


def not_as_told(store: Store) -> list[str]:
    """Return what is wrong by the logs: a run that ended twice, no job requeued."""
    logs = sorted(folder_of(store).glob("*_log.*"))
    text = "".join(path.read_text() for path in logs)
    ends = Counter(re.findall(r"^\[\d+/\d+\] (.*): [\d.]+% test", text, re.MULTILINE))
    wrong = [f"{run} ended {num} times" for run, num in ends.items() if num > 1]
    requeued = re.findall(r"Requeued job \S+", text)
    say(f"Out of time: {', '.join(requeued) or 'none'}.")
    return wrong if requeued else [*wrong, "no job ran out of time"]


def wait(what: str, seconds: float, holds: Callable[[], object]) -> None:
    """Wait until something holds; raise RuntimeError where it does not."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}, in vain")
        time.sleep(0.5)


def say(text: str) -> None:
    """Print what happened, and when."""
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main())
