"""A batch loses nothing: not to a failure, a kill, another process, or itself."""

import json
import re
import signal
import sys
import time

import pytest
import torch

from lazyrich_helpers import records, run
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.movement import Movement
from lazyrich_helpers.optimizers import Adam
from lazyrich_helpers.progress import Lines
from lazyrich_helpers.records import NUMERICS
from lazyrich_helpers.reinit import Reinit
from lazyrich_helpers.run import Summary, complete, main, parse_duration, pick_device
from tests import tiny

SEEDS = [tiny.training(seed=seed) for seed in (0, 1, 2)]


def finish(store, *configs, measures=(Accuracy, Movement, Reinit), **limits):
    """Complete these runs in `store`, and return the summary."""
    recipe = tiny.recipe(*configs, measures=measures)
    return complete(recipe, store, device="cpu", progress=Lines(), **limits)


@pytest.fixture
def no_training(monkeypatch):
    """Make any training fail from here on."""

    def forbidden():
        def train(*args):
            raise AssertionError("trained again")

        monkeypatch.setattr(run, "train", train)

    return forbidden


def test_a_batch_is_trained_once(store, no_training):
    summary = finish(store, *SEEDS)
    assert (summary.num_trained, summary.num_there) == (3, 0)
    assert set(store.ids()) == {config.run_id for config in SEEDS}
    before = tiny.contents(store.folder)
    no_training()
    summary = finish(store, *SEEDS)
    assert (summary.num_trained, summary.num_there) == (0, 3)
    assert tiny.contents(store.folder) == before


def test_a_record_holds_the_run(store, trained):
    finish(store, tiny.CONFIG)
    record = store.read(tiny.CONFIG.run_id)
    assert record.status == "ok" and not record.stale
    assert record.curves["epoch"] == [1, 2, 3]
    assert [len(curve) for curve in record.curves.values()] == [3, 3, 3]
    for measure in (Accuracy, Movement, Reinit):
        expected = {"version": measure.version} | measure().result(trained)
        assert record.measures[measure.name] == expected
    assert record.curves["num_correct"][-1] == record.measures["reinit"]["active"][0]
    initial, final = store.read_weights(record.run_id)
    assert torch.equal(initial, trained.initial) and torch.equal(final, trained.final)
    assert 0 < record.times["train"] <= record.times["total"]


def test_the_same_config_gives_the_same_record(tmp_path, store):
    other = records.Store(tmp_path / "other", tmp_path / "other-weights")
    for where in (store, other):
        torch.rand(7)
        finish(where, *SEEDS[:2])
    for config in SEEDS[:2]:
        one, two = store.read(config.run_id), other.read(config.run_id)
        assert (one.curves, one.measures) == (two.curves, two.measures)
    zero, one = (store.read(config.run_id) for config in SEEDS[:2])
    assert zero.curves["train_loss"] != one.curves["train_loss"]
    assert zero.measures["reinit"] != one.measures["reinit"]


def test_measuring_does_not_disturb_training(store, tmp_path):
    bare = records.Store(tmp_path / "bare", tmp_path / "bare-weights")
    finish(store, tiny.CONFIG)
    finish(bare, tiny.CONFIG, measures=())
    one, two = (where.read(tiny.CONFIG.run_id) for where in (store, bare))
    assert one.curves == two.curves and two.measures == {}


@pytest.mark.parametrize("first", [Accuracy, Reinit])
def test_a_later_measurement_uses_the_kept_weights(store, tmp_path, no_training, first):
    finish(store, tiny.CONFIG)
    at_once = store.read(tiny.CONFIG.run_id)
    later = records.Store(tmp_path / "later", tmp_path / "later-weights")
    finish(later, tiny.CONFIG, measures=(first,))
    no_training()
    assert finish(later, tiny.CONFIG).num_trained == 1
    assert later.read(tiny.CONFIG.run_id).measures == at_once.measures


def test_a_raised_measure_version_measures_again_without_training(
    store, monkeypatch, no_training
):
    finish(store, *SEEDS)
    before = [store.read(config.run_id) for config in SEEDS]
    no_training()
    monkeypatch.setattr(Reinit, "version", Reinit.version + 1)
    assert finish(store, *SEEDS).num_trained == 3
    for old, config in zip(before, SEEDS, strict=True):
        new = store.read(config.run_id)
        assert new.measures["reinit"].pop("version") == Reinit.version
        assert old.measures["reinit"].pop("version") == Reinit.version - 1
        assert (new.measures, new.curves) == (old.measures, old.curves)
        assert new.origin == old.origin


def test_without_weights_it_is_trained_again(store, monkeypatch):
    finish(store, tiny.CONFIG)
    before = store.read(tiny.CONFIG.run_id)
    (store.weights / f"{tiny.CONFIG.run_id}.pt").unlink()
    monkeypatch.setattr(Reinit, "version", Reinit.version + 1)
    assert finish(store, tiny.CONFIG).num_trained == 1
    after = store.read(tiny.CONFIG.run_id)
    assert after.has("reinit", Reinit.version) and after.curves == before.curves


def test_a_measure_that_watches_trains_again(store):
    class Watcher(Accuracy):
        name, watches = "watcher", True

        def __init__(self):
            self.seen = []

        def after_epoch(self, network, data, epoch):
            self.seen.append(epoch.number)

        def result(self, trained):
            return {"seen": self.seen}

    finish(store, tiny.CONFIG)
    finish(store, tiny.CONFIG, measures=(Watcher,))
    record = store.read(tiny.CONFIG.run_id)
    assert record.measures["watcher"] == {"version": 1, "seen": [1, 2, 3]}
    assert set(record.measures) == {"accuracy", "movement", "reinit", "watcher"}


@pytest.mark.parametrize("other", ["stale weights", "another training"])
def test_weights_of_another_training_are_not_measured(store, monkeypatch, other):
    """The record came from elsewhere; the kept weights are not its network's."""
    finish(store, tiny.CONFIG, measures=(Accuracy,))
    initial, final = store.read_weights(tiny.CONFIG.run_id)
    record = store.read(tiny.CONFIG.run_id)
    if other == "stale weights":  # kept before the numerics of training changed
        monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    record.origin.update(numerics=dict(NUMERICS), start="2020-01-01T00:00:00+00:00")
    store.write(record)
    store.write_weights(record.run_id, initial, final + 1)
    finish(store, tiny.CONFIG)
    found = store.read(record.run_id)
    assert found.measures["reinit"]["active"][0] == found.curves["num_correct"][-1]


def test_a_stale_record_is_reported_and_done_again(store, monkeypatch, capsys):
    assert main(tiny.TINY) == 0
    monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    recipe = run.make_recipe("figure-2", "smoke", widths=[4], num_epochs=1)
    monkeypatch.setattr(run, "make_recipe", lambda *args, **choices: recipe)
    capsys.readouterr()
    assert main(["list"]) == 0
    assert "smoke: 2 runs, 2 recorded, 2 of them stale" in capsys.readouterr().out
    assert main(tiny.TINY) == 0
    assert "2 done now, 0 done before" in capsys.readouterr().out
    assert not any(store.read(run_id).stale for run_id in store.ids())


def test_divergence_is_a_result(store, no_training):
    config = tiny.config(optimizer=Adam(lr=1e30))
    summary = finish(store, config)
    assert (summary.num_trained, summary.num_diverged, summary.failed) == (1, 1, {})

    def refuse(name):
        raise ValueError(name)

    text = (store.folder / f"{config.run_id}.json").read_text()
    content = json.loads(text, parse_constant=refuse)  # NaN is not JSON
    assert content["status"] == "diverged" and content["measures"] == {}
    assert content["curves"]["train_loss"][-1] is None
    assert store.read_weights(config.run_id) is None
    no_training()
    assert finish(store, config).num_there == 1


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, OSError, ValueError])
def test_a_failing_run_does_not_end_the_batch(store, monkeypatch, capsys, error):
    plain = run.train

    def fails_once(network, data, config):
        if config.training.seed == 0:
            raise error("out of\nluck")
        return plain(network, data, config)

    with monkeypatch.context() as patch:
        patch.setattr(run, "train", fails_once)
        assert main(tiny.TINY) == 1
    out = capsys.readouterr().out
    assert "1 done now, 0 done before, 1 FAILED." in out
    assert f"{error.__name__}: out of luck" in out
    statuses = {store.read(run_id).status for run_id in store.ids()}
    program_failed = not issubclass(error, OSError | ValueError)
    failed = {f"failed: {error.__name__}: out of luck"} if program_failed else set()
    assert statuses == {"ok"} | failed
    assert main(tiny.TINY) == 0
    assert "1 done now, 1 done before." in capsys.readouterr().out
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}


def test_a_failure_does_not_replace_a_result(store, monkeypatch):
    finish(store, tiny.CONFIG, measures=(Accuracy,))
    before = tiny.contents(store.folder)
    monkeypatch.setattr(Reinit, "result", lambda self, trained: 1 / 0)
    assert list(finish(store, tiny.CONFIG).failed.values()) == [
        "ZeroDivisionError: division by zero"
    ]
    assert tiny.contents(store.folder) == before


def test_a_keyboard_interrupt_keeps_what_is_done(store, monkeypatch, capsys):
    plain, calls = run.train, []

    def interrupted(network, data, config):
        calls.append(config)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(network, data, config)

    monkeypatch.setattr(run, "train", interrupted)
    assert main(tiny.TINY) == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert [store.read(run_id).status for run_id in store.ids()] == ["ok"]


def test_missing_data_stops_the_batch_before_any_work(store, offline, no_training):
    no_training()
    mnist = tiny.config(data=run.make_recipe("figure-2", "paper").configs[0].data)
    with pytest.raises(ValueError, match="LAZYRICH_DATA"):
        finish(store, tiny.CONFIG, mnist)
    assert store.ids() == []


def test_a_time_budget_postpones_what_does_not_fit(store, monkeypatch, capsys):
    seconds = {0: 5.0, 1: 1e9, 2: 5.0}
    monkeypatch.setattr(
        run, "estimate_seconds", lambda c, m, d: seconds[c.training.seed]
    )
    summary = finish(store, *SEEDS, seconds=1000.0)
    assert summary.num_trained == 2 and summary.postponed == [SEEDS[1]]
    assert main([*tiny.TINY, "--time-budget", "1s"]) == 0
    assert "0 done now, 0 done before, 2 left for lack of time" in (
        capsys.readouterr().out
    )
    assert len(store.ids()) == 2


def test_without_a_time_budget_nothing_is_estimated(store, monkeypatch):
    monkeypatch.setattr(run, "estimate_seconds", None)
    assert finish(store, tiny.CONFIG).num_trained == 1


def test_a_dry_run_trains_nothing(store, no_training, capsys):
    main([*tiny.TINY, "--seeds", "0"])
    before = tiny.contents(store.folder.parent)
    no_training()
    capsys.readouterr()
    assert main([*tiny.TINY, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "1 to do, 1 done before." in out
    assert re.search(r"  [0-9a-f]{12} digits relu_net w=4 .* seed=1: about \d+ s", out)
    assert tiny.contents(store.folder.parent) == before


def test_list_names_every_recipe(store, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "recorded"))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for name in run.RECIPES:
        assert f"{name}: " in out
    assert out.count(" 0 recorded, 0 of them stale") == 3 * len(run.RECIPES)
    assert not (tmp_path / "recorded").exists() and not store.folder.exists()


def test_paper_runs_go_into_the_book(monkeypatch, tmp_path, store):
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "recorded"))
    words = [*tiny.TINY, "--budget", "paper", "--dataset", "digits", "--lrs", "0.1"]
    assert main([*words, "--seeds", "0", "--precision", "bf16"]) == 0
    assert len(list((tmp_path / "recorded").glob("*.json"))) == 1
    assert store.ids() == []


def test_several_recipes_in_one_call(store, capsys):
    words = ["figure-2", "figure-3", *tiny.TINY[1:], "--seeds", "0", "--threads", "1"]
    assert main([*words, "--device", "cpu"]) == 0
    assert capsys.readouterr().out.count("1 done now, 0 done before.") == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("0s", 0)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_summary_says_only_what_happened():
    assert str(Summary(num_trained=2)) == "2 done now, 0 done before."
    failed = Summary(num_there=1, num_diverged=1, failed={"a run": "a reason"})
    expected = "0 done now, 1 done before, 1 diverged, 1 FAILED.\n  a run: a reason"
    assert str(failed) == expected


def test_a_terminal_without_tqdm_is_no_reason_to_stop(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(tiny.TINY) == 0


# Real processes.

SWEEP = ("-m", "lazyrich_helpers.run", *tiny.TINY[:3], "--widths", "32")
SWEEP += ("--seeds", "0", "1", "2", "3", "4", "5", "--device", "cpu", "--num-epochs")


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


def test_two_processes_train_each_run_once(store):
    processes = [tiny.python(*SWEEP, "20") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    done = [int(re.search(r"(\d+) done now", out)[1]) for out, _ in outputs]
    before = [int(re.search(r"(\d+) done before", out)[1]) for out, _ in outputs]
    assert sum(done) == 6
    assert [a + b for a, b in zip(done, before, strict=True)] == [6, 6]
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}
    assert len(store.ids()) == 6


def test_a_killed_sweep_goes_on_where_it_was(store, capsys):
    process = tiny.python(*SWEEP, "60")
    wait_for(lambda: len(store.ids()) >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    finished = tiny.contents(store.folder)
    assert process.returncode == -signal.SIGKILL and 2 <= len(finished) < 6
    assert {store.read(run_id).status for run_id in store.ids()} == {"ok"}
    assert main([*SWEEP[2:], "60"]) == 0
    again = tiny.contents(store.folder)
    assert len(again) == 6 and finished.items() <= again.items()
    expected = f"{6 - len(finished)} done now, {len(finished)} done before."
    assert expected in capsys.readouterr().out
