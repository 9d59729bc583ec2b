"""A batch loses nothing: not to a failure, a kill, another process, or itself."""

import json

import pytest
import torch

from lazyrich_helpers import batch, records
from lazyrich_helpers.activity import Activity
from lazyrich_helpers.batch import Summary, pick_device
from lazyrich_helpers.criticality import Criticality
from lazyrich_helpers.initialization import flat_parameters
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.movement import Movement
from lazyrich_helpers.optimizers import Adam
from lazyrich_helpers.records import NUMERICS
from lazyrich_helpers.reinit import Reinit
from tests import tiny


def test_a_batch_is_trained_once(store, no_training):
    summary = tiny.finish(store, *tiny.SEEDS)
    assert (summary.num_trained, summary.num_there) == (3, 0)
    assert set(store.ids()) == {config.run_id for config in tiny.SEEDS}
    before = tiny.contents(store.folder)
    no_training()
    summary = tiny.finish(store, *tiny.SEEDS)
    assert (summary.num_trained, summary.num_there) == (0, 3)
    assert tiny.contents(store.folder) == before


def test_arrays_are_kept_beside_the_record_and_stay_there(store, no_training):
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy, Activity))
    run_id = tiny.CONFIG.run_id
    before = store.read_arrays(run_id)
    names = {f"activity/alpha_{a}/layer_{i}" for a in (1, 10, 30) for i in (0, 1, 2)}
    assert set(before) == names and before["activity/alpha_1/layer_1"].shape == (12, 12)
    no_training()
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy, Activity, Criticality))
    assert set(store.read(run_id).measures) == {"accuracy", "activity", "criticality"}
    after = store.read_arrays(run_id)
    assert all((after[name] == before[name]).all() for name in names)


def test_a_record_holds_the_run(store, trained):
    tiny.finish(store, tiny.CONFIG)
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
        tiny.finish(where, *tiny.SEEDS[:2])
    for config in tiny.SEEDS[:2]:
        one, two = store.read(config.run_id), other.read(config.run_id)
        assert (one.curves, one.measures) == (two.curves, two.measures)
    zero, one = (store.read(config.run_id) for config in tiny.SEEDS[:2])
    assert zero.curves["train_loss"] != one.curves["train_loss"]
    assert zero.measures["reinit"] != one.measures["reinit"]


def test_measuring_does_not_disturb_training(store, tmp_path):
    bare = records.Store(tmp_path / "bare", tmp_path / "bare-weights")
    tiny.finish(store, tiny.CONFIG)
    tiny.finish(bare, tiny.CONFIG, measures=())
    one, two = (where.read(tiny.CONFIG.run_id) for where in (store, bare))
    assert one.curves == two.curves and two.measures == {}


@pytest.mark.parametrize("first", [Accuracy, Reinit])
def test_a_later_measurement_uses_the_kept_weights(store, tmp_path, no_training, first):
    tiny.finish(store, tiny.CONFIG)
    at_once = store.read(tiny.CONFIG.run_id)
    later = records.Store(tmp_path / "later", tmp_path / "later-weights")
    tiny.finish(later, tiny.CONFIG, measures=(first,))
    no_training()
    assert tiny.finish(later, tiny.CONFIG).num_trained == 1
    assert later.read(tiny.CONFIG.run_id).measures == at_once.measures


def test_a_raised_measure_version_measures_again_without_training(
    store, monkeypatch, no_training
):
    tiny.finish(store, *tiny.SEEDS)
    before = [store.read(config.run_id) for config in tiny.SEEDS]
    no_training()
    monkeypatch.setattr(Reinit, "version", Reinit.version + 1)
    assert tiny.finish(store, *tiny.SEEDS).num_trained == 3
    for old, config in zip(before, tiny.SEEDS, strict=True):
        new = store.read(config.run_id)
        assert new.measures["reinit"].pop("version") == Reinit.version
        assert old.measures["reinit"].pop("version") == Reinit.version - 1
        assert (new.measures, new.curves) == (old.measures, old.curves)
        assert new.origin == old.origin


def test_without_weights_it_is_trained_again(store, monkeypatch):
    tiny.finish(store, tiny.CONFIG)
    before = store.read(tiny.CONFIG.run_id)
    (store.weights / f"{tiny.CONFIG.run_id}.pt").unlink()
    monkeypatch.setattr(Reinit, "version", Reinit.version + 1)
    assert tiny.finish(store, tiny.CONFIG).num_trained == 1
    after = store.read(tiny.CONFIG.run_id)
    assert after.has("reinit", Reinit.version) and after.curves == before.curves


def test_a_measure_that_watches_trains_again(store):
    class Watcher(Accuracy):
        name, watches = "watcher", True

        def __init__(self):
            self.seen = []

        def start(self, run):
            assert torch.equal(flat_parameters(run.network), run.initial)

        def after_epoch(self, run, epoch):
            assert all(p.requires_grad for p in run.network.parameters())
            self.seen.append(epoch.number)

        def result(self, trained):
            return {"seen": self.seen}

    tiny.finish(store, tiny.CONFIG)
    tiny.finish(store, tiny.CONFIG, measures=(Watcher,))
    record = store.read(tiny.CONFIG.run_id)
    assert record.measures["watcher"] == {"version": 1, "seen": [1, 2, 3]}
    assert set(record.measures) == {"accuracy", "movement", "reinit", "watcher"}


@pytest.mark.parametrize("other", ["stale weights", "another training"])
def test_weights_of_another_training_are_not_measured(store, monkeypatch, other):
    """The record came from elsewhere; the kept weights are not its network's."""
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy,))
    initial, final = store.read_weights(tiny.CONFIG.run_id)
    record = store.read(tiny.CONFIG.run_id)
    if other == "stale weights":  # kept before the numerics of training changed
        monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    record.origin.update(numerics=dict(NUMERICS), start="2020-01-01T00:00:00+00:00")
    store.write(record)
    store.write_weights(record.run_id, initial, final + 1)
    tiny.finish(store, tiny.CONFIG)
    found = store.read(record.run_id)
    assert found.measures["reinit"]["active"][0] == found.curves["num_correct"][-1]


def test_divergence_is_a_result(store, no_training):
    config = tiny.config(optimizer=Adam(lr=1e30))
    summary = tiny.finish(store, config)
    assert (summary.num_trained, summary.num_diverged, summary.failed) == (1, 1, {})

    def refuse(name):
        raise ValueError(name)

    text = (store.folder / f"{config.run_id}.json").read_text()
    content = json.loads(text, parse_constant=refuse)  # NaN is not JSON
    assert content["status"] == "diverged" and content["measures"] == {}
    assert content["curves"]["train_loss"][-1] is None
    assert store.read_weights(config.run_id) is None
    no_training()
    assert tiny.finish(store, config).num_there == 1


def test_a_failure_does_not_replace_a_result(store, monkeypatch):
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy,))
    before = tiny.contents(store.folder)
    monkeypatch.setattr(Reinit, "result", lambda self, trained: 1 / 0)
    assert list(tiny.finish(store, tiny.CONFIG).failed.values()) == [
        "ZeroDivisionError: division by zero"
    ]
    assert tiny.contents(store.folder) == before


def test_without_a_time_budget_nothing_is_estimated(store, monkeypatch):
    monkeypatch.setattr(batch, "estimate_seconds", None)
    assert tiny.finish(store, tiny.CONFIG).num_trained == 1


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_summary_says_only_what_happened():
    assert str(Summary(num_trained=2)) == "2 done now, 0 done before."
    failed = Summary(num_there=1, num_diverged=1, failed={"a run": "a reason"})
    expected = "0 done now, 1 done before, 1 diverged, 1 FAILED.\n  a run: a reason"
    assert str(failed) == expected


def test_a_net_is_recorded_where_its_weights_cannot_be_kept(store, monkeypatch):
    def full(*args):
        raise RuntimeError("no space left")

    monkeypatch.setattr(type(store), "write_weights", full)
    with pytest.warns(UserWarning, match=r"were not kept \(no space left\); free some"):
        tiny.finish(store, tiny.CONFIG)
    assert store.read(tiny.CONFIG.run_id).status == "ok"


def test_a_last_step_that_overflows_is_divergence(store, monkeypatch):
    plain = batch.train

    def overflows(network, data, config, **options):
        yield from plain(network, data, config, **options)
        with torch.no_grad():
            next(network.parameters())[0, 0] = float("nan")

    monkeypatch.setattr(batch, "train", overflows)
    tiny.finish(store, tiny.CONFIG)
    assert store.read(tiny.CONFIG.run_id).status == "diverged"


def test_an_estimate_that_fails_fails_its_run_alone(store, monkeypatch):
    def no_memory(config, *args, **options):
        if config.training.seed == 1:
            raise MemoryError("too wide")
        return 0.0

    monkeypatch.setattr(batch, "estimate_seconds", no_memory)
    summary = tiny.finish(store, *tiny.SEEDS, seconds=1000.0)
    assert summary.num_trained == 2
    assert list(summary.failed.values()) == ["MemoryError: too wide"]
