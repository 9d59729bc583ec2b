"""Several processes that share the runs of a batch: one for each slot of a machine.

The parent deals out groups of runs, the longest first. A process that dies loses the
epochs since its last checkpoint, no more: its claims die with it, and what it had in
hand is tried once more, alone.
"""

import contextlib
import dataclasses
import multiprocessing
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.attempts import Attempts
from lazyrich_helpers.runner.backlog import grouped
from lazyrich_helpers.runner.memory import free, peak_bytes
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop, unheard
from lazyrich_helpers.training.run_config import RunConfig

LOOK_EVERY = 0.2
"""Seconds between two looks at whether to stop."""
WORTH_SHARING = 1e12
"""Work, as `costs.work` has it, that repays the start of processes on a CPU: what
takes one core about a minute."""
PROCESS_BYTES = 5e8
"""Of memory that a process takes for Python and torch themselves."""


@dataclass(eq=False)
class _Worker:
    """A process, as its parent sees it."""

    process: BaseProcess
    connection: Connection
    group: Sequence[RunConfig] = ()
    """What it has in hand."""


def suitable_workers(configs: Sequence[RunConfig], device: str) -> int:
    """Return how many processes serve best: one a GPU, or one a CPU thread.

    On a CPU no more than memory holds of the largest runs.
    """
    groups = grouped(configs, device)
    if device == "cuda":
        return max(1, min(len(groups), torch.cuda.device_count()))
    if torch.device(device).type != "cpu" or sum(map(work, configs)) < WORTH_SHARING:
        return 1
    largest = max(peak_bytes(group[0], num=len(group)) for group in groups)
    room = int(free(device) / (largest + PROCESS_BYTES))
    return max(1, min(len(groups), torch.get_num_threads(), room))


def slots(device: str, num: int) -> list[tuple[str, int]]:
    """Return the device and the CPU threads of each of `num` processes.

    `cuda` stands for all GPUs in turn, `cuda:1` for that one.
    """
    threads = max(1, torch.get_num_threads() // num)
    if device != "cuda":
        return [(device, threads)] * num
    count = torch.cuda.device_count()
    return [(f"cuda:{index % count}", threads) for index in range(num)]


def work_together(
    attempts: Attempts, groups: Sequence[list[RunConfig]], num: int
) -> None:
    """Complete `groups` in `num` processes, but for what other launchers hold.

    Raises:
        KeyboardInterrupt: If asked to end at once; the processes are then killed.
        ValueError: If no process can be started.
    """
    left = sorted(groups, key=lambda group: -sum(map(work, group)))
    while left and not attempts.stop.due:
        for config in _deal_out(attempts, left, num):  # once more, alone
            if config in attempts.summary.ended or attempts.stop.due:
                continue
            for code in _deal_out(attempts, [[config]], 1).values():
                attempts.fail(config, RuntimeError(_cause(code)))


def _deal_out(
    attempts: Attempts, groups: list[list[RunConfig]], num: int
) -> dict[RunConfig, int]:
    """Have `num` processes complete `groups`, which loses what they take.

    Returns:
        The runs that a process had in hand as it died, with its exit code.
    """
    workers: list[_Worker] = []
    num_groups = len(groups)
    try:
        for slot in slots(attempts.device, min(num, num_groups)):
            workers.append(_start(attempts, slot))
        _listen(attempts, workers, groups)
    except BaseException:
        for worker in workers:
            worker.process.kill()
        raise
    finally:
        for worker in workers:
            worker.connection.close()
            worker.process.join()
    codes = [worker.process.exitcode or 0 for worker in workers]
    if all(codes) and len(groups) == num_groups:
        raise ValueError(
            f"workers must be 1 where no process can be started: {len(codes)} ended "
            f"before they began, the last with status {codes[-1]}."
        )
    pairs = zip(workers, codes, strict=True)
    return {config: code for worker, code in pairs for config in worker.group}


def _start(attempts: Attempts, slot: tuple[str, int]) -> _Worker:
    context = multiprocessing.get_context("spawn")  # threads do not survive a fork
    here, there = context.Pipe()
    job = (attempts.recipe, attempts.store, attempts.stop.seconds_left)
    process = context.Process(target=_work, args=(slot, job, there), daemon=True)
    with unheard(signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):  # for the parent
        process.start()
    there.close()
    return _Worker(process, here)


def _listen(
    attempts: Attempts, workers: Sequence[_Worker], groups: list[list[RunConfig]]
) -> None:
    """Hear what processes report and deal out groups, until all have ended."""
    told = False
    open_ones = {worker.connection: worker for worker in workers}
    while open_ones:
        for connection in wait(list(open_ones), LOOK_EVERY):
            assert isinstance(connection, Connection)
            try:
                method, *news = connection.recv()
            except (EOFError, OSError):
                del open_ones[connection]
                continue
            if method == "next":
                group = groups.pop(0) if groups else []
                open_ones[connection].group = group
                _send(connection, group)
            elif method == "finish":
                attempts.ended(*news)
            else:
                getattr(attempts.progress, method)(*news)
        if attempts.stop.asked and not told:
            told = True
            for connection in open_ones:
                _send(connection, [])


def _send(connection: Connection, what: object) -> None:
    with contextlib.suppress(OSError):  # the other end has died
        connection.send(what)


def _cause(code: int) -> str:
    """Return what ended a process twice, and what that is likely to mean."""
    if code >= 0:
        return f"its process ended with status {code}, 2 times."
    name = signal.Signals(-code).name
    ended = f"its process was ended by {name}, 2 times"
    if name == "SIGKILL":
        there = f"{free('cpu') / 1e9:,.1f} GB are free now"
        return f"{ended}, as the system does where memory runs out; {there}."
    return f"{ended}."


class _Reporter(Progress):
    """Progress that the parent hears of."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def advance(self, config: RunConfig, epoch: int) -> None:
        _send(self._connection, ("advance", config, epoch))

    def skip(self, config: RunConfig) -> None:
        _send(self._connection, ("skip", config))

    def finish(self, record: Record) -> None:
        _send(self._connection, ("finish", dataclasses.replace(record, arrays={})))


def _work(
    slot: tuple[str, int], job: tuple[Recipe, Store, float], connection: Connection
) -> None:
    """Be a process: complete the groups that the parent gives."""
    (device, threads), (recipe, store, seconds) = slot, job
    torch.set_num_threads(threads)
    # What comes from the parent amid a group is its word to stop, or the end of it.
    stop = Stop(seconds, also=connection.poll)
    attempts = Attempts(recipe, store, device, _Reporter(connection), stop)
    while group := _next_group(connection):
        attempts.make(group)


def _next_group(connection: Connection) -> Any:
    """Ask the parent for runs; nothing where it has none, or has died."""
    try:
        connection.send(("next",))
        return connection.recv()
    except (EOFError, OSError):
        return []
