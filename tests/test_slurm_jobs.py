"""A Slurm job's work, and how runs are dealt out to jobs."""

import dataclasses
import os
import pickle
import signal
import time
from typing import Any, ClassVar

import pytest
import torch

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures.measure import Accuracy, Measure
from lazyrich_helpers.runner import slurm_jobs
from lazyrich_helpers.runner.grouping import grouped
from lazyrich_helpers.runner.slurm_jobs import PER_JOB, Job, deal, rough_seconds
from tests import slurm_grid, tiny

LONG = tiny.training(num_epochs=1000)
"""Setting of a run that is not worth more than a job."""


def dealt(*recipes, runs_per_job=0, seconds=36_000.0, device="cpu"):
    return deal(recipes, device, runs_per_job=runs_per_job, seconds=seconds)


def configs(jobs):
    """Return the runs of each job, by part."""
    return [[list(part.configs) for part in job] for job in jobs]


@pytest.mark.parametrize("runs_per_job", [0, 1, 3, 100])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_run_is_dealt_once_and_groups_stay_together(runs_per_job, device):
    recipe = make_recipe("figure-2", "paper", seeds=list(range(7)))
    jobs = dealt(recipe, runs_per_job=runs_per_job, device=device)
    parts = [part for job in jobs for part in job]
    assert [config for part in parts for config in part.configs] == [
        config for group in grouped(recipe.configs, device) for config in group
    ]
    for group in grouped(recipe.configs, device):
        assert sum(bool(set(group) & set(part.configs)) for part in parts) == 1
    for part in parts:
        size = len(part.configs)
        assert not runs_per_job or size <= max(runs_per_job, 7)
        assert dataclasses.replace(part, configs=()) == dataclasses.replace(
            recipe, configs=()
        )


def test_short_runs_share_a_job_and_long_ones_do_not():
    assert len(dealt(tiny.recipe(*tiny.WIDTHS, *tiny.APART))) == 1
    days = [
        dataclasses.replace(
            LONG, training=dataclasses.replace(LONG.training, num_epochs=num)
        )
        for num in (1_000_000, 2_000_000)
    ]
    assert min(map(rough_seconds, days)) > PER_JOB
    assert configs(dealt(tiny.recipe(*days))) == [[[run]] for run in days]


def test_a_job_takes_what_half_its_time_holds():
    runs = [tiny.training(num_epochs=num) for num in range(500, 510)]
    each = max(map(rough_seconds, runs))
    jobs = dealt(tiny.recipe(*runs), seconds=2 * 3.5 * each)
    assert {len(part.configs) for job in jobs for part in job} <= {1, 3}
    assert len(jobs) == 4


def test_a_run_of_two_recipes_is_one_jobs():
    one = tiny.recipe(*tiny.APART)
    two = dataclasses.replace(
        one, name="two", configs=(*tiny.APART[1:], *tiny.WIDTHS[:2])
    )
    jobs = dealt(one, two, runs_per_job=1)
    first, second, third = tiny.APART
    assert configs(jobs)[:3] == [[[first]], [[second], [second]], [[third], [third]]]
    assert [part.name for part in jobs[1]] == ["tiny", "two"]
    assert sum(len(part.configs) for job in jobs for part in job) == 3 + 2 + 2


def test_an_array_has_an_end(monkeypatch):
    monkeypatch.setattr(slurm_jobs, "MOST_JOBS", 8)
    many = tiny.recipe(*(tiny.training(num_epochs=num) for num in range(100, 140)))
    with pytest.raises(ValueError, match="at most 8 jobs; got 4, which makes 10"):
        dealt(many, runs_per_job=4)
    assert 2 <= len(dealt(many, seconds=0.001)) <= 8


@pytest.fixture
def in_slurm(monkeypatch):
    """What a job finds on a compute node; returns what its warning is to do."""
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    warned: list[Exception] = []

    def warn(number, frame):
        raise warned[0]

    before = signal.signal(signal.SIGUSR2, warn)
    yield warned
    signal.signal(signal.SIGUSR2, before)


def job(store, tmp_path, *parts, device="cpu") -> Job:
    done = Job(parts, store, device, 1, tmp_path)
    return pickle.loads(pickle.dumps(done))


def test_a_job_completes_its_parts_on_its_threads(store, tmp_path, in_slurm):
    parts = (tiny.recipe(*tiny.WIDTHS), tiny.recipe(*tiny.APART, measures=(Accuracy,)))
    threads = torch.get_num_threads()
    try:
        dataclasses.replace(job(store, tmp_path, *parts), threads=threads + 1)()
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert len(store.ids()) == len({*tiny.WIDTHS, *tiny.APART})
    assert not list(tmp_path.glob("*.failed.json"))


def test_what_is_done_is_not_done_again_after_a_requeue(
    store, tmp_path, in_slurm, no_training
):
    first = job(store, tmp_path, tiny.recipe(*tiny.APART))
    first()
    again = first.checkpoint()
    assert again.function == first
    no_training()
    again.function(*again.args, **again.kwargs)


def test_a_failed_run_is_noted_and_the_others_go_on(store, tmp_path, in_slurm):
    bad = tiny.recipe(tiny.APART[0], measures=(slurm_grid.Failing,))
    both = job(store, tmp_path, bad, tiny.recipe(tiny.APART[1]))
    with pytest.raises(RuntimeError, match="seed=0: RuntimeError: it was to fail"):
        both()
    assert store.read(tiny.APART[1].run_id).status == "ok"
    assert "it was to fail" in (tmp_path / "7.failed.json").read_text()
    job(store, tmp_path, tiny.recipe(tiny.APART[0]))()
    assert not (tmp_path / "7.failed.json").exists(), "it is not true any more"


def test_a_device_that_is_not_there_is_noted(store, tmp_path, in_slurm):
    with pytest.raises(RuntimeError, match=r"device must be .* got 'cuda:99'"):
        job(store, tmp_path, tiny.recipe(*tiny.APART), device="cuda:99")()
    assert store.ids() == [] and (tmp_path / "7.failed.json").exists()


class Warned(Measure):
    """Has Slurm's warning come amid the second epoch."""

    name: ClassVar[str] = "warned"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = True

    def after_epoch(self, run: Any, epoch: Any) -> None:
        if epoch.number == 2:
            os.kill(os.getpid(), signal.SIGUSR2)

    def result(self, trained: Any) -> dict[str, Any]:
        return {}


def test_a_warning_that_fails_ends_the_job_and_blames_no_run(store, tmp_path, in_slurm):
    in_slurm.append(RuntimeError("requeued too often"))
    with pytest.raises(SystemExit, match="requeued too often"):
        job(store, tmp_path, tiny.recipe(tiny.CONFIG, measures=(Warned,)))()
    assert store.ids() == [] and not list(tmp_path.glob("*.failed.json"))


def test_a_warned_job_goes_on_after_its_epoch(store, tmp_path, in_slurm):
    in_slurm.append(SystemExit(-1))  # as submitit ends a job that is requeued
    warned = job(store, tmp_path, tiny.recipe(tiny.CONFIG, measures=(Warned,)))
    with pytest.raises(SystemExit, match="-1"):
        warned()
    assert store.ids() == [] and len(list(store.checkpoints.glob("*.pt"))) == 1
    warned()
    (part,) = store.read(tiny.CONFIG.run_id).origin["resumed"]
    assert part["num_epochs"] == 2


class Endless(Warned):
    """As Warned, in an epoch that does not end."""

    name: ClassVar[str] = "endless"

    def after_epoch(self, run: Any, epoch: Any) -> None:
        super().after_epoch(run, epoch)
        if epoch.number == 2:
            time.sleep(60)


def test_a_warning_is_not_put_off_for_ever(store, tmp_path, in_slurm):
    in_slurm.append(SystemExit(-1))
    endless = job(store, tmp_path, tiny.recipe(tiny.CONFIG, measures=(Endless,)))
    began = time.monotonic()
    with pytest.raises(SystemExit, match="-1"):
        dataclasses.replace(endless, patience=1)()
    assert time.monotonic() - began < 30 and store.ids() == []
