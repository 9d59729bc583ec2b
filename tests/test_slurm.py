"""Recipes handed to Slurm: to stand-ins for its commands, and to a real cluster."""

import dataclasses
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.runner.slurm import SlurmOptions, submit
from lazyrich_helpers.runner.slurm_ledger import Ledger
from lazyrich_helpers.runner.slurm_status import cancel, states, status
from tests import slurm_cluster, slurm_grid, tiny
from tests.slurm_stand_in import StandIn

GRID = tiny.recipe(*tiny.WIDTHS)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Stand-ins for Slurm's commands, on PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return StandIn(tmp_path / "bin")


def hand_over(store, *recipes, device="cpu", **options):
    return submit(recipes, store, SlurmOptions(**options), device=device)


def runs(submission):
    """Return the run ids of each job, sorted."""
    return [sorted(job.runs) for job in submission.jobs]


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("partition", "two words", "one name that `sinfo` lists"),
        ("minutes", 0, "at least 1"),
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


def test_without_slurm_it_says_so(store, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for ask in (lambda: hand_over(store, GRID), lambda: states(store)):
        with pytest.raises(ValueError, match=r"needs the command 'sbatch', .* PATH"):
            ask()


def test_the_batch_script_asks_for_what_the_options_say(store, slurm):
    submission = hand_over(
        store,
        tiny.recipe(*tiny.APART),
        device="cpu",
        partition="short",
        minutes=7,
        gpus_per_task=2,
        cpus_per_task=3,
        setup=("module load cuda", "ulimit -n 4096"),
        array_parallelism=2,
        runs_per_job=1,
    )
    script = slurm.script(1)
    for flag in (
        f"job-name={submission.name}",
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
    assert lines[start + 2].startswith(f'export PYTHONPATH="{tiny.ROOT}$')
    assert "srun " in script and script.count("--cpus-per-task=3") == 2
    assert [job.job_id for job in submission.jobs] == ["1_0", "1_1", "1_2"]


def test_what_is_not_asked_for_is_the_clusters_choice(store, slurm):
    hand_over(store, GRID)
    assert "partition" not in slurm.script(1) and "gpus" not in slurm.script(1)


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


def test_outside_a_job_the_readers_own_variables_stay(store, slurm, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_HINT", "nomultithread")
    hand_over(store, GRID)
    assert slurm.environment()["SLURM_HINT"] == "nomultithread"


def test_a_path_that_slurm_would_rewrite_is_refused(tmp_path, slurm):
    folder = tmp_path / "100%j"
    store = Store(folder / "records", folder / "weights")
    with pytest.raises(ValueError, match=r"^LAZYRICH_STORE must be .*; got '.*100%j/"):
        hand_over(store, GRID)
    assert not folder.exists()


def test_records_that_cannot_be_written_are_a_sentence(tmp_path, slurm):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "records", tmp_path / "weights")
    with pytest.raises(ValueError, match=r"^records must be a folder .*file/records"):
        hand_over(store, GRID)
    assert not (slurm.folder / "calls").exists()


def test_a_refusal_is_one_sentence_and_leaves_nothing(store, slurm, capfd):
    slurm.refuse()
    match = r"refused .*\(Invalid partition name\).* partition 'nope'.*`sinfo` lists"
    with pytest.raises(ValueError, match=match):
        hand_over(store, GRID, partition="nope")
    assert list(Ledger(store).folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_what_is_in_the_queue_is_not_submitted_twice(store, slurm):
    first = hand_over(store, tiny.recipe(*tiny.WIDTHS[:3]))
    slurm.enqueue(first, state="RUNNING")
    second = hand_over(store, GRID)
    assert runs(second) == [[tiny.WIDTHS[3].run_id]] and second.num_queued == 3
    assert "3 runs left out, already in the queue" in str(second)
    slurm.enqueue(first, second)
    third = hand_over(store, GRID)
    assert third.jobs == () and str(third).startswith("Nothing to submit")
    assert Ledger(store).ids() == sorted([first.submission_id, second.submission_id])
    slurm.queue()  # lost, then
    assert hand_over(store, GRID).num_runs == 4


def test_another_measure_of_a_queued_run_is_another_matter(store, slurm):
    plain = tiny.recipe(*tiny.WIDTHS, measures=(Accuracy,))
    slurm.enqueue(hand_over(store, plain))
    more = dataclasses.replace(plain, measures=(Accuracy, Movement))
    assert hand_over(store, more).num_runs == 4


def test_what_is_recorded_is_not_submitted(store, slurm):
    tiny.finish(store, *tiny.WIDTHS[:2])
    submission = hand_over(store, GRID)
    assert (submission.num_there, submission.num_runs) == (2, 2)
    assert not {c.run_id for c in tiny.WIDTHS[:2]} & {
        run for job in submission.jobs for run in job.runs
    }


def test_cancelled_jobs_do_not_hold_their_runs(store, slurm):
    first = hand_over(store, GRID)
    slurm.enqueue(first, state="COMPLETING")  # Slurm takes a while to end them
    assert cancel(store) == len(first.jobs)
    assert slurm.cancelled() == [job.job_id for job in first.jobs]
    assert {run.state for run in states(store)} == {"cancelled"}
    assert hand_over(store, GRID).num_runs == 4
    assert cancel(store) == 0


@pytest.mark.parametrize(
    ("device", "num_gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 1, "cuda"),
        ("cpu", 1, "cpu"),
        ("cuda:0", 0, "cuda:0"),
    ],
)
def test_a_gpu_is_taken_where_one_is_asked_for(
    store, slurm, device, num_gpus, expected
):
    submission = hand_over(store, GRID, device=device, gpus_per_task=num_gpus)
    assert submission.device == expected


def test_a_device_that_there_cannot_be_is_one_sentence(store, slurm):
    with pytest.raises(ValueError, match=r"device must be .*; got 'abacus'\."):
        hand_over(store, GRID, device="abacus")


def test_missing_data_stops_it_before_anything_is_submitted(store, slurm, offline):
    mnist = tiny.config(data=make_recipe("figure-2", "paper").configs[0].data)
    with pytest.raises(ValueError, match="LAZYRICH_DATA"):
        hand_over(store, tiny.recipe(mnist))
    assert Ledger(store).ids() == []


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
    long = slurm_grid.recipe(*slurm_grid.slow(seconds=600, num=1))
    with slurm_cluster.start():
        with pytest.raises(ValueError, match=r"Invalid partition name.*'nope'"):
            hand_over(store, GRID, partition="nope")
        with pytest.MonkeyPatch.context() as patch:  # as if this were a job itself
            for name, value in INHERITED.items():
                patch.setenv(name, value)
            grid = hand_over(store, GRID, failing, runs_per_job=3)
        assert sum(len(job.runs) for job in grid.jobs) == 5
        again = hand_over(store, GRID, failing, runs_per_job=3)
        assert again.jobs == () and again.num_queued == 5
        # Slurm counts a GPU of its own; the run does without.
        other = hand_over(store, long, gpus_per_task=1, partition="all")
        watch(store, until=lambda found: found[other.submission_id, "running"])
        assert cancel(store, other.submission_id) == 1
        last = watch(store, until=has_ended)
        said = status(store)
    assert last == {
        (grid.submission_id, "recorded"): 4,
        (grid.submission_id, "failed"): 1,
        (other.submission_id, "cancelled"): 1,
    }
    assert "(RuntimeError: it was to fail)" in said and "cancelled" in said
    assert {store.read(config.run_id).status for config in tiny.WIDTHS} == {"ok"}
    assert len(store.ids()) == len(tiny.WIDTHS) + 1
    logs = Ledger(store).logs(grid.submission_id)
    text = "".join(path.read_text() for path in logs.glob("*_log.*"))
    assert text.count("Exited with exit code 1") == 1, "the job of the failing run"


def has_ended(found: Counter) -> bool:
    return not {"queued", "running"} & {state for _, state in found}


def watch(store, *, until, seconds=90) -> Counter:
    """Return how many runs of each submission have each state, as soon as it holds."""
    end = time.monotonic() + seconds
    while True:
        found = Counter((run.submission_id, run.state) for run in states(store))
        if until(found):
            return found
        assert time.monotonic() < end, status(store)
        time.sleep(0.5)
