"""Recipes handed to Slurm: to stand-ins for its commands, and to a real cluster."""

import dataclasses
import os
import sys
import time
from pathlib import Path

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.runner import slurm_queue
from lazyrich_helpers.runner.options import SlurmOptions
from lazyrich_helpers.runner.slurm import submit
from lazyrich_helpers.runner.slurm_queue import (
    cancel,
    folder_of,
    in_queue,
    job_name,
    status,
    submitted,
)
from tests import tiny
from tests.runner import slurm_cluster, slurm_grid
from tests.runner.slurm_stand_in import StandIn

GRID = tiny.recipe(*tiny.WIDTHS)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Stand-ins for Slurm's commands, on PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return StandIn(tmp_path / "bin")


def hand_over(store, *recipes, device="cpu", **options):
    return submit(recipes, store, SlurmOptions(**options), device=device)


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("partition", "two words", "one name that `sinfo` lists"),
        ("gpus_per_task", -1, "0 or more"),
        ("cpus_per_task", 0, "at least 1"),
        ("setup", ("module load cuda\nreboot",), "one a line"),
        ("setup", ("  ",), "shell commands"),
        ("array_parallelism", 0, "at least 1"),
        ("runs_per_job", -2, "0 or more"),
    ],
)
def test_a_wrong_option_is_one_sentence(field, value, remedy):
    with pytest.raises(ValueError, match=f"^{field} must be .*{remedy}") as caught:
        SlurmOptions(**{field: value})
    assert repr(value) in str(caught.value)


def test_without_submitit_it_says_so(store, slurm, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    for ask in (lambda: hand_over(store, GRID), lambda: status(store)):
        with pytest.raises(ValueError, match="needs the package submitit"):
            ask()


def test_the_batch_script_asks_for_what_the_options_say(store, slurm):
    submission = hand_over(
        store,
        tiny.recipe(*tiny.APART),
        partition="short",
        time="7m",
        gpus_per_task=2,
        cpus_per_task=3,
        setup=("module load cuda", "ulimit -n 4096"),
        array_parallelism=2,
        runs_per_job=1,
    )
    script = slurm.read("script")
    for flag in (
        f"job-name={job_name(store)}",
        "partition=short",
        "time=7",
        "gpus-per-task=2",
        "cpus-per-task=3",
        "ntasks=1",
        "array=0-2%2",
        "signal=USR2@42",
        "requeue",
    ):
        assert f"#SBATCH --{flag}\n" in script, flag
    lines = script.splitlines()
    start = lines.index("module load cuda")
    assert lines[start + 1] == "ulimit -n 4096"
    path = lines[start + 2].removeprefix("export PYTHONPATH=")
    assert path.startswith(f"{tiny.ROOT}:") and path.endswith(':+:$PYTHONPATH}"')
    assert "srun " in script and script.count("--cpus-per-task=3") == 2
    assert str(submission) == (
        "Submitted 3 runs in 3 jobs; 0 were recorded before, 0 in the queue."
    )
    jobs = submitted(store)
    assert list(jobs) == ["1_0", "1_1", "1_2"]
    assert [job.share.configs for job in jobs.values()] == [(c,) for c in tiny.APART]
    assert {job.threads for job in jobs.values()} == {3}
    hand_over(store, GRID)  # what is not asked for is the cluster's choice
    script = slurm.read("script")
    assert "partition" not in script and "gpus" not in script


INHERITED = {
    "SLURM_JOB_ID": "7",
    "SLURM_CPU_BIND": "quiet,mask_cpu:0x1",
    "SLURM_MEM_PER_CPU": "100",
    "SLURM_MEM_PER_NODE": "100",
    "SLURMD_NODENAME": "one",
    "SRUN_DEBUG": "3",
    "SUBMITIT_EXECUTOR": "slurm",
    "SBATCH_CPU_BIND": "quiet,mask_cpu:0x1",
    "PMIX_RANK": "0",
}


def test_a_job_that_is_submitted_from_a_job_does_not_inherit_it(
    store, slurm, monkeypatch
):
    stays = {"SLURM_CONF": "/etc/slurm.conf", "SBATCH_ACCOUNT": "us", "HOME": "/home"}
    for name, value in (INHERITED | stays).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    hand_over(store, GRID)
    seen = slurm.environment()
    assert not INHERITED.keys() & seen.keys() and stays.items() <= seen.items()
    assert dict(os.environ) == before
    monkeypatch.delenv("SLURM_JOB_ID")  # outside, the reader's own stay
    hand_over(store, GRID)
    assert slurm.environment()["SLURM_CPU_BIND"] == INHERITED["SLURM_CPU_BIND"]


def test_folders_that_will_not_do_are_a_sentence(tmp_path, slurm):
    folder = tmp_path / "100%j"
    with pytest.raises(ValueError, match=r"^LAZYRICH_STORE must be .*; got '.*100%j/"):
        hand_over(Store(folder / "records", folder / "weights"), GRID)
    assert not folder.exists()
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "records", tmp_path / "weights")
    with pytest.raises(ValueError, match=r"^records must be a folder .*file/records"):
        hand_over(store, GRID)
    assert not slurm.read("calls")


def test_a_refusal_is_one_sentence(store, slurm, capfd):
    slurm.refuse()
    match = r"refused .*\(Invalid partition name\).* partition 'nope'.*`sinfo` lists"
    with pytest.raises(ValueError, match=match):
        hand_over(store, GRID, partition="nope")
    assert submitted(store) == {} and capfd.readouterr() == ("", "")


def test_what_is_queued_or_recorded_is_not_submitted(store, slurm):
    assert hand_over(store, tiny.recipe(*tiny.WIDTHS[:3])).num_runs == 3
    slurm.queue("1", reason="None")
    second = hand_over(store, GRID)
    assert (second.num_runs, second.num_queued) == (1, 3)
    slurm.queue("1", "2")
    assert hand_over(store, GRID).num_jobs == 0 and [*submitted(store)] == ["1", "2"]
    tiny.finish(store, *tiny.WIDTHS[:2])
    slurm.queue()  # lost, then
    third = hand_over(store, GRID)
    assert (third.num_there, third.num_runs, third.num_queued) == (2, 2, 0)
    assert list(submitted(store)["3"].share.configs) == tiny.WIDTHS[2:]


def test_a_run_of_two_recipes_is_one_jobs_but_another_measure_is_another_matter(
    store, slurm
):
    plain = tiny.recipe(*tiny.WIDTHS, measures=(Accuracy,))
    more = dataclasses.replace(plain, measures=(Accuracy, Movement))
    two = dataclasses.replace(more, name="two", configs=(*tiny.WIDTHS, *tiny.APART))
    hand_over(store, plain)
    slurm.queue("1")
    submission = hand_over(store, more, two)
    assert (submission.num_runs, submission.num_queued) == (4 + 2, 5)  # one is in both
    slurm.queue("2")
    assert hand_over(store, plain).num_queued == 4


def test_cancelled_jobs_do_not_hold_their_runs(store, slurm):
    hand_over(store, GRID)
    assert cancel(store) == 0 and not slurm.read("cancelled")
    slurm.queue("1", reason="None")
    assert cancel(store) == 1
    assert slurm.read("cancelled").split()[-1] == f"--name={job_name(store)}"
    assert status(store) == "1 jobs in the queue.", "Slurm takes a while to end them"
    assert hand_over(store, GRID).num_runs == 4


def test_the_queue_is_asked_for_the_jobs_of_a_folder(store, slurm, tmp_path):
    slurm.queue("5_0", "5_1")
    assert in_queue(store) == {"5_0": "Priority", "5_1": "Priority"}
    assert f"--name={job_name(store)} " in slurm.read("asked")
    slurm.queue("6", reason="None")
    assert in_queue(store) == {"6": ""}
    other = Store(tmp_path / "other", store.weights)
    assert job_name(other) != job_name(store) and folder_of(other) != folder_of(store)


def test_a_cluster_that_does_not_answer_is_one_sentence(store, slurm):
    slurm.write("squeue", "#!/bin/sh\necho 'squeue: error: no\n route' >&2\nexit 1\n")
    with pytest.raises(ValueError, match=r"squeue did not .*error: no route.*`sinfo`"):
        in_queue(store)
    slurm.write("squeue", "#!/bin/sh\nexec sleep 60\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slurm_queue, "PATIENCE", 0.1)
        with pytest.raises(ValueError, match="timed out"):
            in_queue(store)


def test_a_job_that_cannot_be_read_is_one_sentence(store, slurm):
    hand_over(store, GRID)
    (folder_of(store) / "1_submitted.pkl").write_bytes(b"{")
    for ask in (lambda: hand_over(store, GRID), lambda: status(store)):
        with pytest.raises(ValueError, match=r"1_submitted\.pkl is not a readable"):
            ask()


def test_each_run_is_told_once_by_its_last_job(store, slurm):
    assert status(store) == "0 jobs in the queue."
    first, second, third = tiny.APART
    hand_over(store, tiny.recipe(*tiny.APART), runs_per_job=1)
    tiny.finish(store, first)
    slurm.queue("1_1", "1_2")
    with store.lock(second.run_id):
        assert status(store).splitlines() == [
            "tiny at smoke: 1 recorded, 1 running, 1 queued.",
            "2 jobs in the queue, waiting for Priority.",
        ]
    slurm.queue("1_2", reason="None")
    log = folder_of(store) / "1_1_0_log.err"
    assert status(store).splitlines() == [
        "tiny at smoke: 1 recorded, 1 missing, 1 queued.",
        f"  missing {second.run_id} digits relu_net w=12 d=2 lr=0.03 seed=0; see {log}",
        "1 jobs in the queue.",
    ]
    hand_over(store, tiny.recipe(second))
    slurm.queue("2")
    assert status(store).startswith("tiny at smoke: 1 recorded, 1 missing, 1 queued.")
    assert f"{third.run_id} " in status(store) and "1_2_0_log.err" in status(store)


def test_a_gpu_is_taken_where_one_is_asked_for(store, slurm):
    asked = (("auto", 0), ("auto", 1), ("cpu", 1), ("cuda:0", 0))
    for device, num in asked:
        hand_over(store, GRID, device=device, gpus_per_task=num)
    devices = [job.device for job in submitted(store).values()]
    assert devices == ["cpu", "cuda", "cpu", "cuda:0"]
    with pytest.raises(ValueError, match=r"device must be .*; got 'abacus'\."):
        hand_over(store, GRID, device="abacus")


def test_missing_data_stops_it_before_anything_is_submitted(store, slurm, offline):
    mnist = tiny.config(data=make_recipe("figure-2", "paper").configs[0].data)
    with pytest.raises(ValueError, match="LAZYRICH_DATA"):
        hand_over(store, tiny.recipe(mnist))
    assert not slurm.read("calls")


def test_where_slurm_is_lacking_tests_are_skipped_or_fail(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slurm_cluster, "SBIN", ())
    monkeypatch.delenv("LAZYRICH_REQUIRE_SLURM", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"munged, .*apt-get install"):
        slurm_cluster.require()
    monkeypatch.setenv("LAZYRICH_REQUIRE_SLURM", "1")
    with pytest.raises(pytest.fail.Exception, match=r"munged, .*apt-get install"):
        slurm_cluster.require()
    with pytest.raises(RuntimeError, match=r"munged, .*apt-get install"):
        slurm_cluster.start().__enter__()


def test_a_real_cluster_completes_a_grid(store):
    """Two nodes: a grid, a failing run, a cancelled one."""
    slurm_cluster.require()
    failing = tiny.recipe(tiny.SEEDS[2], measures=(slurm_grid.Failing,))
    failing = dataclasses.replace(failing, name="failing")
    (long,) = slurm_grid.slow(seconds=600, num=1)
    with slurm_cluster.start():
        with pytest.raises(ValueError, match=r"Invalid partition name.*'nope'"):
            hand_over(store, GRID, partition="nope")
        with pytest.MonkeyPatch.context() as patch:  # as if this were a job itself
            for name, value in INHERITED.items():
                patch.setenv(name, value)
            grid = hand_over(store, GRID, failing, runs_per_job=3)
        assert (grid.num_runs, grid.num_jobs) == (5, 3)
        again = hand_over(store, GRID, failing, runs_per_job=3)
        assert (again.num_jobs, again.num_queued) == (0, 5)
        wait(lambda: not in_queue(store), store)
        # Slurm counts a GPU of its own; the run does without.
        hand_over(store, slurm_grid.recipe(long), gpus_per_task=1, partition="all")
        wait(lambda: "1 running" in status(store), store)
        assert cancel(store) == 1
        wait(lambda: not in_queue(store), store)
        said = status(store).splitlines()
    name = f"{tiny.SEEDS[2].run_id} digits"
    (job_id,) = (i for i, j in submitted(store).items() if j.share.name == "failing")
    log = folder_of(store) / f"{job_id}_0_log.err"
    assert said == [
        "tiny at smoke: 4 recorded.",
        "failing at smoke: 1 failed.",
        f"  failed {name} relu_net w=12 d=2 lr=0.03 seed=2: RuntimeError: it was to "
        f"fail; see {log}",
        "0 jobs in the queue.",
    ]
    text = "".join(path.read_text() for path in folder_of(store).glob("*_log.err"))
    assert text.count("Submitted job triggered an exception") == 1


def wait(condition, store, seconds=90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, status(store)
        time.sleep(0.5)
