"""Several processes that share the runs of a recipe: one for each slot of a machine.

The parent hands out groups of runs, the longest first, and hears of every epoch. A
process that dies takes nothing with it but the epochs since its last checkpoint: what
it had in hand is tried once more, alone.
"""

import contextlib
import dataclasses
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Record, Store
from lazyrich_helpers.measures.costs import work
from lazyrich_helpers.runner.attempts import Attempts, ProcessDied
from lazyrich_helpers.runner.memory import free, peak_bytes, room
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.runner.summary import Summary
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


@dataclass(eq=False)
class _Worker:
    """A process, and what it has in hand."""

    process: BaseProcess
    connection: Connection
    group: list[RunConfig]
    told: bool = False
    """To stop."""
    has_begun: bool = False
    """Whether it has taken up what it has in hand."""
    advanced: list[tuple[RunConfig, float]] = field(default_factory=list)
    """Work that its progress was told of, for runs that have not ended."""


def suitable_workers(
    recipe: Recipe, groups: Sequence[list[RunConfig]], device: str
) -> int:
    """Return how many processes serve best: one a GPU, or one a CPU thread.

    On a CPU no more than memory holds of the largest groups.
    """
    if device == "cuda":
        return max(1, min(len(groups), torch.cuda.device_count()))
    total = sum(work(config) for group in groups for config in group)
    if torch.device(device).type != "cpu" or total < WORTH_SHARING:
        return 1
    sizes = (peak_bytes(group[0], recipe.measures, num=len(group)) for group in groups)
    room_for = int(room(device) / (max(sizes) + PROCESS_BYTES))
    return max(1, min(len(groups), torch.get_num_threads(), room_for))


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
    """Complete `groups` in `num` processes; `attempts.summary` says how that went.

    Raises:
        KeyboardInterrupt: If asked to end at once; the processes are then killed.
    """
    _Office(attempts, groups, num).run()


class _Office:
    """The parent: a queue of groups, and a desk for each process."""

    def __init__(
        self, attempts: Attempts, groups: Sequence[list[RunConfig]], num: int
    ) -> None:
        self._attempts = attempts
        longest_first = sorted(groups, key=lambda group: -sum(map(work, group)))
        self._queue = deque(longest_first)
        self._desks = shares(attempts.device, min(num, len(groups)))
        self._workers: dict[int, _Worker] = {}
        self._deaths: Counter[RunConfig] = Counter()
        self._busy = 0
        """Groups in a row that other launchers held."""
        self._is_up = False
        """Whether a process has ever begun."""
        self._num_stillborn = 0

    def run(self) -> None:
        stop = self._attempts.stop
        try:
            while (self._queue and not stop.asked) or self._at_work():
                if not stop.asked:
                    self._hand_out()
                self._listen()
                if stop.asked:
                    self._tell()
        except BaseException:
            for worker in self._workers.values():
                worker.process.kill()
            raise
        finally:
            for worker in self._workers.values():
                worker.connection.close()  # it reads that there is no more
                worker.process.join()
        left = [config for group in self._queue for config in group]
        self._attempts.summary.postponed += left

    def _at_work(self) -> list[_Worker]:
        return [worker for worker in self._workers.values() if worker.group]

    def _hand_out(self) -> None:
        for desk, (device, threads) in enumerate(self._desks):
            if not self._queue:
                return
            worker = self._workers.get(desk)
            if worker is None:
                worker = self._workers[desk] = self._hired(device, threads)
            if worker.group:
                continue
            worker.group = self._queue.popleft()
            waits = len(worker.group) == 1 and self._busy > len(self._queue)
            with contextlib.suppress(BrokenPipeError):  # it died: `_listen` finds out
                worker.connection.send((worker.group, waits))

    def _hired(self, device: str, threads: int) -> _Worker:
        context = multiprocessing.get_context("spawn")  # threads do not survive a fork
        here, there = context.Pipe()
        job = _Job(
            self._attempts.recipe,
            self._attempts.store,
            device,
            self._attempts.stop.seconds_left,
            threads,
        )
        process = context.Process(target=_work, args=(there, job), daemon=True)
        # A Ctrl-C during its start would end it in a mess; it will ignore it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        there.close()
        return _Worker(process, here, [])

    def _listen(self) -> None:
        """Wait a moment for news, and take in what there is."""
        desks = {w.connection: desk for desk, w in self._workers.items() if w.group}
        for connection in wait(list(desks), LOOK_EVERY):
            desk = desks[connection]  # type: ignore[index]
            worker = self._workers[desk]
            try:
                self._take_in(worker, *worker.connection.recv())
            except (EOFError, OSError):
                del self._workers[desk]
                self._bury(worker)

    def _take_in(self, worker: _Worker, kind: str, *news: Any) -> None:
        progress, summary = self._attempts.progress, self._attempts.summary
        if kind == "advance":
            config, epoch, amount = news
            worker.advanced.append((config, amount))
            progress.advance(config, epoch, amount)
        elif kind == "skip":
            progress.skip(*news)
        elif kind == "begin":
            worker.has_begun = self._is_up = True
        elif kind == "finish":
            (record,) = news
            worker.advanced = [e for e in worker.advanced if e[0] != record.config]
            progress.finish(record)
        else:
            done, others = news
            summary.add(done)
            summary.num_there += done.num_there
            held = len(others) == len(worker.group)
            self._busy = self._busy + 1 if held else 0
            self._queue += [[config] for config in others]
            worker.group, worker.advanced, worker.has_begun = [], [], False

    def _bury(self, worker: _Worker) -> None:
        """Have what a dead process had in hand done by another, one by one.

        Raises:
            ValueError: If no process ever got as far as to begin.
        """
        worker.process.join()
        if not worker.has_begun:
            self._queue.append(worker.group)
            self._num_stillborn += 1
            if not self._is_up and self._num_stillborn >= MOST_DEATHS:
                raise ValueError(
                    f"workers must be 1 where no process can be started: "
                    f"{self._num_stillborn} ended before they began, the last "
                    f"with status {worker.process.exitcode}."
                )
            return
        for config, amount in worker.advanced:
            self._attempts.progress.advance(config, 0, -amount)
        for config in worker.group:
            self._deaths[config] += 1
            if self._deaths[config] < MOST_DEATHS:
                self._queue.append([config])
            else:
                error = ProcessDied(_cause(worker.process.exitcode))
                self._attempts.fail(config, error)

    def _tell(self) -> None:
        for worker in self._at_work():
            if not worker.told:
                worker.told = True
                with contextlib.suppress(OSError):  # it died
                    worker.connection.send("stop")


def _cause(code: int | None) -> str:
    """Return what ended a process, and what that is likely to mean."""
    if code is None or code >= 0:
        return f"its process ended with status {code}, {MOST_DEATHS} times."
    name = signal.Signals(-code).name
    ended = f"its process was ended by {name}, {MOST_DEATHS} times"
    if name == "SIGKILL":
        there = f"{free('cpu') / 1e9:,.1f} GB are free now"
        return f"{ended}, as the system does where memory runs out; {there}."
    if name in ("SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE"):
        return f"{ended}: a fault of a library or of the machine, not of memory."
    return f"{ended}."


class _ToldStop(Stop):
    """Asked to by the parent, or by its death: anything it sends during a run."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        super().__init__(seconds)

    @property
    def asked(self) -> bool:
        return self._connection.poll()


@dataclass(frozen=True)
class _Reporter:
    """Progress that the parent hears of."""

    connection: Connection

    def begin(self, num_runs: int, work: float) -> None:
        """The parent knows."""

    def advance(self, config: RunConfig, epoch: int, work: float) -> None:
        self._say("advance", config, epoch, work)

    def skip(self, config: RunConfig, work: float) -> None:
        self._say("skip", config, work)

    def finish(self, record: Record) -> None:
        self._say("finish", dataclasses.replace(record, arrays={}))

    def end(self) -> None:
        """The parent knows."""

    def _say(self, *news: Any) -> None:
        _tell(self.connection, *news)


@dataclass(frozen=True)
class _Job:
    """What a process is told as it starts."""

    recipe: Recipe
    store: Store
    device: str
    seconds: float
    """Until it is time to stop."""
    threads: int


def _work(connection: Connection, job: _Job) -> None:
    """Be a process: make attempts as told until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):  # for the parent
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    torch.set_num_threads(job.threads)
    attempts = Attempts(
        job.recipe,
        job.store,
        job.device,
        _Reporter(connection),
        _ToldStop(connection, job.seconds),
    )
    for group, waits in _orders(connection):
        own = dataclasses.replace(attempts, summary=Summary())
        _tell(connection, "begin")
        others = own.make(group, wait=waits)
        _tell(connection, "done", own.summary, others)


def _tell(connection: Connection, *news: Any) -> None:
    with contextlib.suppress(OSError):  # the parent died: finish what is begun
        connection.send(news)


def _orders(connection: Connection) -> Iterator[tuple[list[RunConfig], bool]]:
    """Yield what the parent hands out, until it says stop or is gone."""
    with contextlib.suppress(EOFError, OSError):
        while (order := connection.recv()) != "stop":
            yield order
