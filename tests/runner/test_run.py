"""The command line: what it does, says and exits with."""

import dataclasses
import re
import signal
import subprocess
import sys

import pytest

from lazyrich_helpers.experiments.record import NUMERICS
from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.run import main
from lazyrich_helpers.runner import execution, tasks
from lazyrich_helpers.runner.command_line import NAMES
from lazyrich_helpers.runner.options import SlurmOptions, parse_duration
from tests import tiny

MODULE = ("-m", "lazyrich_helpers.run")


def test_a_stale_record_is_reported_and_done_again(store, monkeypatch, capsys):
    assert main(tiny.TINY) == 0
    monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    recipe = tasks.make_recipe("figure-2", "smoke", widths=[4], num_epochs=1)
    monkeypatch.setattr(tasks, "make_recipe", lambda *args, **choices: recipe)
    capsys.readouterr()
    assert main(["list"]) == 0
    assert "smoke: 2 runs: 2 stale" in capsys.readouterr().out
    assert main(tiny.TINY) == 0
    assert "2 done now, 0 done before" in capsys.readouterr().out
    assert not any(store.read(run_id).stale for run_id in store.ids())


@pytest.mark.parametrize("error", [RuntimeError, OSError, ValueError])
def test_a_failing_run_does_not_end_the_batch(store, monkeypatch, capsys, error):
    plain = execution.train

    def fails_once(network, data, config, **options):
        if config.columns()["width"] == 4:
            raise error("out of\nluck")
        return plain(network, data, config, **options)

    words = [*tiny.TINY, "--widths", "4", "5", "--seeds", "0"]
    with monkeypatch.context() as patch:
        patch.setattr(execution, "train", fails_once)
        assert main(words) == 1
    out = capsys.readouterr().out
    assert "1 done now, 0 done before, 1 FAILED." in out
    assert f"{error.__name__}: out of luck" in out
    statuses = {store.read(run_id).status for run_id in store.ids()}
    program_failed = not issubclass(error, OSError | ValueError)
    failed = {f"failed: {error.__name__}: out of luck"} if program_failed else set()
    assert statuses == {"ok"} | failed
    assert main(words) == 0
    assert "1 done now, 1 done before." in capsys.readouterr().out
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}


def test_a_keyboard_interrupt_keeps_what_is_done(store, monkeypatch, capsys):
    plain, calls = execution.train, []

    def interrupted(network, data, config, **options):
        calls.append(config)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(network, data, config, **options)

    monkeypatch.setattr(execution, "train", interrupted)
    assert main([*tiny.TINY, "--widths", "4", "5", "--seeds", "0"]) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert [store.read(run_id).status for run_id in store.ids()] == ["ok"]


def test_a_time_budget_begins_nothing_after_it(store, capsys):
    assert main([*tiny.TINY, "--time-budget", "0s"]) == 0
    assert "0 done now, 0 done before, 2 left for later" in capsys.readouterr().out
    assert store.ids() == []


def test_a_dry_run_trains_nothing_and_hands_nothing_over(
    store, known_trial, no_training, capsys, monkeypatch
):
    main([*tiny.TINY, "--seeds", "0"])
    before = tiny.contents(store.folder)
    no_training()
    monkeypatch.setattr(tasks, "submit", None)
    capsys.readouterr()
    assert main([*tiny.TINY, "--executor", "slurm", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "1 to do, 1 done before." in out
    run = r"  [0-9a-f]{12} digits relu_net w=4 .* seed=1: .* operations, .* GB, about"
    assert re.search(run, out) and "here (cpu), one by one, while" in out
    assert len(known_trial) == 1
    for words in (["--shard", "fsdp"], ["--shard", "tp", "--executor", "slurm"]):
        assert main([*tiny.TINY, *words, "--dry-run"]) == 0
        assert "1 to do, 1 done before." in capsys.readouterr().out
    assert tiny.contents(store.folder) == before


def test_list_names_every_recipe(store, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "recorded"))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in tasks.RECIPES:
        assert f"{name}: " in out
    runs = re.findall(r"  (smoke|laptop|paper): (\d+) runs: \2 missing\n", out)
    assert len(runs) == 3 * len(tasks.RECIPES)
    assert not (tmp_path / "recorded").exists() and not store.folder.exists()


def test_what_is_missing_and_what_failed_is_listed_and_retried(
    store, monkeypatch, capsys
):
    plain = execution.train

    def broken(network, data, config, **options):
        if config.columns()["width"] == 4:
            raise RuntimeError("out of luck")
        return plain(network, data, config, **options)

    words = [*tiny.TINY, "--seeds", "0", "--lrs", "0.1"]
    with monkeypatch.context() as patch:
        patch.setattr(execution, "train", broken)
        assert main([*words, "--widths", "4", "5"]) == 1
    capsys.readouterr()
    more = [*words, "--widths", "4", "5", "6"]
    assert main(["list", *more, "--missing", "--failed"]) == 0
    title, counts, failed, missing = capsys.readouterr().out.splitlines()
    assert title.startswith("figure-2: ")
    assert counts.endswith("runs: 1 recorded, 1 failed, 1 missing")
    assert re.search(r"[0-9a-f]{12} .* w=4 .*: RuntimeError: out of luck", failed)
    assert re.search(r"[0-9a-f]{12} .* w=6 .* seed=0$", missing)
    assert main(["list", *more, "--failed"]) == 0
    assert capsys.readouterr().out.splitlines() == [title, counts, failed]
    assert main(["retry", *more]) == 0
    out = capsys.readouterr().out
    assert "figure-2 at smoke: 1 done now, 0 done before." in out
    assert len(store.ids()) == 2
    assert main(["retry", *more]) == 0
    assert capsys.readouterr().out.startswith("Nothing that failed is recorded in ")


def words_for(values, prefix=""):
    """Return the options that choose these values of a dataclass's fields."""
    words = []
    for name, value in values.items():
        option, several = f"--{prefix}{name.replace('_', '-')}", isinstance(value, list)
        if isinstance(value, tuple):
            words += [word for each in value for word in (option, each)]
        else:
            words += [option, *map(str, value if several else [value])]
    return words


def test_there_is_an_option_for_each_choice(store, monkeypatch):
    given = {"widths": [4, 5], "seeds": [2], "lrs": [0.1, 0.2], "num_epochs": 3}
    given |= {"train_size": 100, "dataset": "digits", "precision": "fp32"}
    given |= {"rhos": [0.3], "ks": [1]}
    slurm = {"partition": "gpu", "time": "2h", "gpus_per_task": 1, "cpus_per_task": 4}
    slurm |= {"setup": ("a", "b"), "array_parallelism": 7, "runs_per_job": 3}
    for fields, kind in ((given, LwsScale), (slurm, SlurmOptions)):
        assert set(fields) == {field.name for field in dataclasses.fields(kind)}
    made, handed = [], []
    plain = tasks.make_recipe

    def make(*names, **choices):
        made.append((*names, choices))
        return plain("figure-2", "smoke")

    monkeypatch.setattr(tasks, "make_recipe", make)
    monkeypatch.setattr(tasks, "submit", lambda *args, **_: handed.append(args))
    words = ["figure-10-vgg5", "--budget", "smoke", "--executor", "slurm"]
    assert main([*words, *words_for(given), *words_for(slurm, "slurm-")]) == 0
    assert made == [("figure-10-vgg5", "smoke", given)]
    assert handed[0][2] == SlurmOptions(**slurm)


@pytest.mark.parametrize("command", NAMES)
def test_each_command_has_a_short_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and len(out.splitlines()) < 50
    assert out.startswith(f"usage: python -m lazyrich_helpers.run {command} ")


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"lazyrich-helpers \d\S+\n", capsys.readouterr().out)


@pytest.fixture
def no_torch(tmp_path):
    """A folder for PYTHONPATH whose `torch` says that it is imported, and fails."""
    (tmp_path / "torch.py").write_text("print('importing', flush=True); raise OSError")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--help"], "usage:"),
        (["--frob"], "error: "),
        (["figure-2", "--dry-run"], "Loading torch.\n"),
    ],
)
def test_something_is_said_before_torch_is_imported(no_torch, words, said):
    process = tiny.python(*MODULE, *words, folder=no_torch)
    out, err = process.communicate(timeout=300)
    assert (err or out).startswith(said)
    assert ("importing" in out) == (said == "Loading torch.\n")


def test_a_terminal_without_our_signs_ends_well(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = tiny.python(*MODULE, *tiny.TINY)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "figure-2 at smoke: 2 done now" in out and " ? " in out


def test_records_go_where_asked(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([*tiny.TINY, "--records=~/mine"]) == 0
    assert len(list((tmp_path / "mine").glob("*.json"))) == 2 and store.ids() == []
    assert main(["train", *tiny.TINY, "--records", str(tmp_path / "mine")]) == 0
    assert "0 done now, 2 done before" in capsys.readouterr().out


def test_paper_runs_go_into_the_book(monkeypatch, tmp_path, store):
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "recorded"))
    words = [*tiny.TINY, "--budget", "paper", "--dataset", "digits", "--lrs", "0.1"]
    assert main([*words, "--seeds", "0", "--precision", "bf16"]) == 0
    assert len(list((tmp_path / "recorded").glob("*.json"))) == 1
    assert store.ids() == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("0s", 0)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


def test_a_terminal_without_tqdm_is_no_reason_to_stop(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(tiny.TINY) == 0


# Real processes.

SWEEP = (*MODULE, *tiny.TINY[:3], "--device", "cpu")
APART = (*SWEEP, "--widths", "32", "33", "34", "--seeds", "0", "--lrs", "0.1", "0.01")
TOGETHER = (*SWEEP, "--widths", "32", "--seeds", "0", "1", "2", "3", "4", "5")


@pytest.mark.parametrize("sweep", [APART, TOGETHER], ids=["apart", "together"])
def test_two_processes_train_each_run_once(store, sweep):
    words = (*sweep, "--num-epochs", "20")
    processes = [tiny.python(*words) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    done = [int(re.search(r"(\d+) done now", out)[1]) for out, _ in outputs]
    before = [int(re.search(r"(\d+) done before", out)[1]) for out, _ in outputs]
    assert sum(done) == 6
    assert [a + b for a, b in zip(done, before, strict=True)] == [6, 6]
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}
    assert len(store.ids()) == 6


def test_a_killed_sweep_goes_on_where_it_was(store, capsys):
    process = tiny.python(*APART, "--num-epochs", "60")
    tiny.wait_for(lambda: len(store.ids()) >= 2 or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    finished = tiny.contents(store.folder)
    assert process.returncode == -signal.SIGKILL and 2 <= len(finished) < 6
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}
    assert main([*APART[2:], "--num-epochs", "60"]) == 0
    again = tiny.contents(store.folder)
    assert len(again) == 6 and finished.items() <= again.items()
    expected = f"{6 - len(finished)} done now, {len(finished)} done before."
    assert expected in capsys.readouterr().out


def test_a_reader_who_has_read_enough_is_no_error(store):
    command = f"{sys.executable} -m lazyrich_helpers.run list | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}; echo $?"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "141"
    assert done.stderr == "Loading torch.\n"
