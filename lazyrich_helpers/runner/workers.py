"""Several processes that complete the same runs: one for each slot of a machine.

Each goes through all groups of runs, the longest first, and takes those that no other
process has claimed. A process that dies loses the epochs since its last checkpoint, no
more: its claims die with it, and what it had in hand is tried once more, alone.
"""

import contextlib
import dataclasses
import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.attempts import Attempts, ProcessDied
from lazyrich_helpers.runner.backlog import is_there
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.runner.memory import free, peak_bytes
from lazyrich_helpers.runner.progress import Progress
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.training.run_config import RunConfig

LOOK_EVERY = 0.2
"""Seconds between two looks at whether to stop."""
WORTH_SHARING = 1e12
"""Work, as `costs.work` has it, that repays the start of processes on a CPU: what
takes one core about a minute."""
PROCESS_BYTES = 5e8
"""Of memory that a process takes for Python and torch themselves."""
MOST_DEATHS = 2
"""Processes that a run may take down before it is given up."""
UNTRIED, ENDED = 0, -1
"""Of a group; while a process has it, that process's number, from 1 on."""


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


def shares(device: str, num: int) -> list[tuple[str, int]]:
    """Return the device and the CPU threads of each of `num` processes.

    Threads are shared out evenly, at least one each. `cuda` stands for all GPUs in
    turn, `cuda:1` for that one.
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
        left, died = _complete_in_processes(attempts, left, num)
        if not died:
            return
        for config in (config for group, _ in died for config in group):
            _try_again(attempts, config)


def _try_again(attempts: Attempts, config: RunConfig) -> None:
    """Complete a run in a process of its own, after one that had it died."""
    ended = config in attempts.summary.ended or attempts.stop.due
    if ended or is_there(config, attempts.recipe, attempts.store):
        return
    _, died = _complete_in_processes(attempts, [[config]], 1)
    for _, code in died:
        attempts.fail(config, ProcessDied(_cause(code)))


def _complete_in_processes(
    attempts: Attempts, groups: Sequence[list[RunConfig]], num: int
) -> tuple[list[list[RunConfig]], list[tuple[list[RunConfig], int]]]:
    """Have `num` processes go through `groups` once.

    Returns:
        Groups that nobody tried, and those that a process had in hand as it died, with
        its exit code.
    """
    context = multiprocessing.get_context("spawn")  # threads do not survive a fork
    holders = context.RawArray("i", len(groups))
    job = (attempts.recipe, attempts.store, attempts.stop.seconds_left)
    parts = shares(attempts.device, min(num, len(groups)))
    processes: list[BaseProcess] = []
    connections: list[Connection] = []
    try:
        for number, share in enumerate(parts, 1):
            here, there = context.Pipe()
            words = (number, share, job, groups, holders, there)
            process = context.Process(target=_work, args=words, daemon=True)
            _start(process)
            there.close()
            processes.append(process)
            connections.append(here)
        _listen(attempts, connections)
    except BaseException:
        for process in processes:
            process.kill()
        raise
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.join()
    codes = [process.exitcode or 0 for process in processes]
    if all(codes) and not any(holders):
        raise ValueError(
            f"workers must be 1 where no process can be started: {len(codes)} ended "
            f"before they began, the last with status {codes[-1]}."
        )
    states = list(zip(groups, holders, strict=True))
    died = [(group, codes[holder - 1]) for group, holder in states if holder > 0]
    return [group for group, holder in states if holder == UNTRIED], died


def _start(process: BaseProcess) -> None:
    # A Ctrl-C during its start would end it in a mess; it will ignore it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _listen(attempts: Attempts, connections: Sequence[Connection]) -> None:
    """Hear what processes report until all have ended; pass a stop on."""
    open_ones, told = list(connections), False
    while open_ones:
        for connection in wait(open_ones, LOOK_EVERY):
            assert isinstance(connection, Connection)
            try:
                method, *news = connection.recv()
            except (EOFError, OSError):
                open_ones.remove(connection)
                continue
            if method == "finish":
                attempts.ended(*news)
            else:
                getattr(attempts.progress, method)(*news)
        if attempts.stop.asked and not told:
            told = True
            for connection in open_ones:
                with contextlib.suppress(OSError):  # it ended
                    connection.send("stop")


def _cause(code: int) -> str:
    """Return what ended a process, and what that is likely to mean."""
    if code >= 0:
        return f"its process ended with status {code}, {MOST_DEATHS} times."
    name = signal.Signals(-code).name
    ended = f"its process was ended by {name}, {MOST_DEATHS} times"
    if name == "SIGKILL":
        there = f"{free('cpu') / 1e9:,.1f} GB are free now"
        return f"{ended}, as the system does where memory runs out; {there}."
    if name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE"):
        return f"{ended}: a fault of a library or of the machine, not of memory."
    return f"{ended}."


class _Reporter(Progress):
    """Progress that the parent hears of; once it has died, nobody does."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def advance(self, config: RunConfig, epoch: int) -> None:
        self._say("advance", config, epoch)

    def skip(self, config: RunConfig) -> None:
        self._say("skip", config)

    def finish(self, record: Record) -> None:
        self._say("finish", dataclasses.replace(record, arrays={}))

    def _say(self, *news: Any) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(news)


def _work(
    number: int,
    share: tuple[str, int],
    job: tuple[Recipe, Store, float],
    groups: Sequence[list[RunConfig]],
    holders: Any,
    connection: Connection,
) -> None:
    """Be a process: complete the groups that no other one has."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):  # for the parent
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    (device, threads), (recipe, store, seconds) = share, job
    torch.set_num_threads(threads)
    # Whatever comes from the parent is its word to stop, or the end of it.
    stop = Stop(seconds, also=connection.poll)
    attempts = Attempts(recipe, store, device, _Reporter(connection), stop)
    for place, group in enumerate(groups):

        def take(place: int = place) -> bool:
            """Mark the group, claimed by now, as this process's."""
            if holders[place] != UNTRIED:
                return False
            holders[place] = number
            return True

        if holders[place] == UNTRIED:
            done = attempts.make(group, take=take)
            if done or holders[place] == number:
                holders[place] = ENDED
