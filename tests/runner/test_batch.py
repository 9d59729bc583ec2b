"""A batch loses nothing: not to a failure, a kill, another process, or itself."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from lazyrich_helpers.experiments import files, records
from lazyrich_helpers.experiments.record import NUMERICS, Record
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.movement import Movement
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.runner import attempts, execution
from lazyrich_helpers.runner.attempts import Attempts, Summary, suitable_threads
from lazyrich_helpers.runner.backlog import planned
from lazyrich_helpers.runner.memory import peak_bytes
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.training.optimizers import Adam
from tests import tiny


@pytest.mark.parametrize("content", [None, b"PK\x03\x04"])
def test_arrays_that_are_lost_are_measured_again(store, content):
    measures = (Accuracy, Activity)
    tiny.finish(store, *tiny.APART[:2], measures=measures)
    run_id = tiny.APART[0].run_id
    before, path = store.read_arrays(run_id), store.folder / f"{run_id}.npz"
    path.unlink() if content is None else path.write_bytes(content)
    summary = tiny.finish(store, *tiny.APART, measures=measures)
    assert (summary.num_trained, summary.num_there, summary.failed) == (2, 1, {})
    after = store.read_arrays(run_id)
    assert before.keys() == after.keys()
    assert all((after[name] == before[name]).all() for name in before)
    assert tiny.finish(store, *tiny.APART, measures=measures).num_there == 3


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


def test_numbers_follow_from_the_config_and_not_from_what_is_measured(tmp_path, store):
    others = [records.Store(tmp_path / name, tmp_path / "w") for name in ("a", "b")]
    every = (*tiny.MEASURES, Activity, GradientConcentration)  # these two watch
    asked = (every, every, ())
    for where, measures in zip((store, *others), asked, strict=True):
        torch.rand(7)
        tiny.finish(where, *tiny.SEEDS[:2], measures=measures)
    for config in tiny.SEEDS[:2]:
        one, two, bare = (s.read(config.run_id) for s in (store, *others))
        assert (one.curves, one.measures) == (two.curves, two.measures)
        assert bare.curves == one.curves and bare.measures == {"costs": one.costs}
    zero, one = (store.read(config.run_id) for config in tiny.SEEDS[:2])
    assert zero.curves["train_loss"] != one.curves["train_loss"]
    assert zero.measures["reinit"] != one.measures["reinit"]


def test_a_raised_measure_version_measures_again_without_training(
    store, monkeypatch, no_training
):
    tiny.finish(store, *tiny.SEEDS)
    before = [store.read(config.run_id) for config in tiny.SEEDS]
    no_training()
    monkeypatch.setattr(Reinit, "version", Reinit.version + 1)
    summary = tiny.finish(store, *tiny.SEEDS)
    assert (summary.num_trained, summary.failed) == (3, {})
    for old, config in zip(before, tiny.SEEDS, strict=True):
        new = store.read(config.run_id)
        assert new.measures["reinit"].pop("version") == Reinit.version
        assert old.measures["reinit"].pop("version") == Reinit.version - 1
        assert (new.measures, new.curves) == (old.measures, old.curves)
        assert new.origin == old.origin


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
    measured = {"accuracy", "movement", "reinit", "watcher", "costs"}
    assert set(record.measures) == measured


@pytest.mark.parametrize("other", ["stale weights", "another training", "none"])
def test_without_its_own_weights_a_run_is_trained_again(store, monkeypatch, other):
    """The record came from elsewhere; kept weights are not its network's."""
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy,))
    initial, final = store.read_weights(tiny.CONFIG.run_id)
    record = store.read(tiny.CONFIG.run_id)
    if other == "stale weights":  # kept before the numerics of training changed
        monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    record.origin.update(numerics=dict(NUMERICS), start="2020-01-01T00:00:00+00:00")
    store.write(record)
    store.write_weights(record.run_id, initial, final + 1)
    if other == "none":
        (store.weights / f"{record.run_id}.pt").unlink()
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
    assert content["status"] == "diverged" and [*content["measures"]] == ["costs"]
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


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_recorded_with_what_it_takes(store, monkeypatch, error):
    plain = execution.train

    def train(network, data, config, **options):
        if config == tiny.APART[0]:
            raise error
        return plain(network, data, config, **options)

    monkeypatch.setattr(execution, "train", train)
    summary = tiny.finish(store, *tiny.APART)
    (why,) = summary.failed.values()
    gigabytes = peak_bytes(tiny.APART[0]) / 1e9
    assert why.endswith(f"(by estimate it takes {gigabytes:.2g} GB)")
    assert store.read(tiny.APART[0].run_id).status == f"failed: {why}"
    assert summary.num_trained == 2


def test_a_small_network_has_one_thread_and_a_large_one_all():
    torch.set_num_threads(2)
    large = tiny.config(model=ReluNet(width=2000, depth=2))
    for config, num in ((tiny.CONFIG, 1), (large, 2)):
        with suitable_threads(config):
            assert torch.get_num_threads() == num
        assert torch.get_num_threads() == 2


def test_a_summary_says_only_what_happened():
    assert str(Summary(num_trained=2)) == "2 done now, 0 done before."
    failed = Summary(num_there=1, num_diverged=1, failed={"a run": "a reason"})
    expected = "0 done now, 1 done before, 1 diverged, 1 FAILED.\n  a run: a reason"
    assert str(failed) == expected


def test_a_net_is_recorded_where_its_weights_cannot_be_kept(store, monkeypatch):
    def full(*args):
        raise RuntimeError("no space left")  # torch's word for a full disk

    monkeypatch.setattr(files.torch, "save", full)
    with pytest.warns(UserWarning, match=r"not kept \(.* \(no space left\)\); free"):
        tiny.finish(store, tiny.CONFIG)
    assert store.read(tiny.CONFIG.run_id).status == "ok"


def test_a_last_step_that_overflows_is_divergence(store, monkeypatch):
    plain = execution.train

    def overflows(network, data, config, **options):
        yield from plain(network, data, config, **options)
        with torch.no_grad():
            next(network.parameters())[0, 0] = float("nan")

    monkeypatch.setattr(execution, "train", overflows)
    tiny.finish(store, tiny.CONFIG)
    assert store.read(tiny.CONFIG.run_id).status == "diverged"


def together(store):
    """Return how many runs each record says were trained as one with it, by seed."""
    records = [store.read(config.run_id) for config in tiny.SEEDS]
    return [len(record.origin.get("together", [0])) for record in records]


def test_seeds_are_trained_together_and_recorded_apart(store, tmp_path, monkeypatch):
    alone = records.Store(tmp_path / "alone", tmp_path / "alone-weights")
    for config in tiny.SEEDS:
        tiny.finish(alone, config)
    monkeypatch.setattr(execution, "train", None)
    assert tiny.finish(store, *tiny.SEEDS).num_trained == 3
    assert together(store) == [3, 3, 3] and together(alone) == [1, 1, 1]
    for config in tiny.SEEDS:
        one, two = (where.read(config.run_id) for where in (alone, store))
        assert one.status == two.status == "ok"
        losses = one.curves.pop("train_loss"), two.curves.pop("train_loss")
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
        assert one.measures.keys() == two.measures.keys()
        ends = [where.read_weights(config.run_id) for where in (alone, store)]
        assert torch.equal(ends[0][0], ends[1][0])
        assert torch.allclose(ends[0][1], ends[1][1], atol=1e-3)
        assert 0 < two.times["train"] <= two.times["total"]
        assert two.origin["weights"] != one.origin["weights"] or losses[0] == losses[1]


def test_a_run_that_another_process_holds_is_left_out_and_waited_for(
    store, monkeypatch
):
    held, plain, waits = tiny.SEEDS[1], Attempts.make, []

    def make(self, group, *, wait=False):
        waits.append(wait)
        return plain(self, group, wait=wait)

    monkeypatch.setattr(Attempts, "make", make)
    with ThreadPoolExecutor() as pool:
        with store.lock(held.run_id):
            batch = pool.submit(tiny.finish, store, *tiny.SEEDS)
            tiny.wait_for(lambda: any(waits) or batch.done())
            assert held.run_id not in store.ids() and not batch.done()
        assert batch.result().num_trained == 3
    assert together(store) == [2, 1, 2]


class Waiting(Lines):
    """Says when the batch is planned."""

    def __init__(self):
        self.planned = threading.Event()

    def begin(self, configs):
        super().begin(configs)
        self.planned.set()


def test_what_is_recorded_while_it_waits_is_not_trained_again(store, tmp_path):
    other = records.Store(tmp_path / "other", tmp_path / "other-weights")
    tiny.finish(other, tiny.CONFIG)
    progress = Waiting()
    with ThreadPoolExecutor() as pool:
        with store.lock(tiny.CONFIG.run_id):
            batch = pool.submit(tiny.finish, store, tiny.CONFIG, progress=progress)
            assert progress.planned.wait(timeout=60)
            store.write(other.read(tiny.CONFIG.run_id))
        summary = batch.result()
    assert (summary.num_trained, summary.num_there) == (0, 1)
    assert progress.done == pytest.approx(progress.total)


def test_waiting_for_another_process_ends_with_the_time(store):
    held = tiny.SEEDS[1:]
    with ThreadPoolExecutor() as pool:
        with store.lock(held[0].run_id), store.lock(held[1].run_id):
            work = pool.submit(tiny.finish, store, *tiny.SEEDS, seconds=1.0)
            summary = work.result(timeout=30)
    assert summary.num_trained == 1 and summary.postponed == held
    assert store.ids() == [tiny.SEEDS[0].run_id]


def test_a_run_whose_claim_was_lost_is_not_written(store, monkeypatch):
    """It slept for so long that another process took the run over."""
    plain = execution.train

    def slow(network, data, config, **options):
        yield from plain(network, data, config, **options)
        path = store.folder / ".locks" / f"{config.run_id}.claim"
        path.unlink()
        path.write_text("another's\n")

    monkeypatch.setattr(execution, "train", slow)
    summary = tiny.finish(store, tiny.CONFIG)
    assert summary.postponed == [tiny.CONFIG] and summary.num_trained == 0
    assert store.ids() == []


def test_every_lock_of_a_group_is_held_while_it_is_trained(store, monkeypatch):
    plain, seen = execution.train_ensemble, []

    def spy(networks, data, configs, **options):
        for config in configs:
            with store.lock(config.run_id, seconds=0) as got:
                seen.append(got is not None)
        return plain(networks, data, configs, **options)

    monkeypatch.setattr(execution, "train_ensemble", spy)
    tiny.finish(store, *tiny.SEEDS)
    assert seen == [False] * 3


class Counted(Lines):
    def begin(self, configs):
        super().begin(configs)
        Counted.last = self


@pytest.mark.parametrize("where", ["training", "measuring"])
def test_a_group_that_fails_is_tried_one_by_one(store, monkeypatch, where):
    plain = execution.train

    def fails(network, data, config, **options):
        if config == tiny.SEEDS[1]:
            raise RuntimeError("a bad run")
        return plain(network, data, config, **options)

    def measure(self, trained):
        if trained.config == tiny.SEEDS[1]:
            raise RuntimeError("a bad run")
        return {}

    if where == "training":
        plain_together = execution.train_ensemble

        def fails_midway(*args, **options):
            yield next(plain_together(*args, **options))
            raise RuntimeError("together")

        monkeypatch.setattr(execution, "train_ensemble", fails_midway)
        monkeypatch.setattr(execution, "train", fails)
    else:
        monkeypatch.setattr(Accuracy, "result", measure)
    monkeypatch.setattr(tiny, "Lines", Counted)
    reason = "together" if where == "training" else "a bad run"
    num_left = 3 if where == "training" else 2
    told = r"^3 seeds of digits relu_net w=12 d=2 lr=0.03 failed together \("
    told += rf"RuntimeError: {reason}\); the {num_left} left are tried one by one\.$"
    with pytest.warns(UserWarning, match=told):
        summary = tiny.finish(store, *tiny.SEEDS)
    assert summary.num_trained == 2
    assert list(summary.failed.values()) == ["RuntimeError: a bad run"]
    assert together(store) == ([1, 1, 1] if where == "training" else [3, 1, 1])
    # What a bad run leaves undone is not left to do.
    assert Counted.last.done == pytest.approx(Counted.last.total)
    assert Counted.last.num_done == 3


def test_a_run_that_failed_is_tried_again_without_its_neighbours(store):
    store.write(Record(tiny.SEEDS[1], "failed: RuntimeError: a bad run"))
    groups = planned(tiny.SEEDS, tiny.recipe(*tiny.SEEDS), store, "cpu")
    assert groups == [[tiny.SEEDS[0], tiny.SEEDS[2]], [tiny.SEEDS[1]]]


def test_a_checkpoint_that_cannot_be_removed_fails_no_run(store, monkeypatch):
    def forbidden(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(attempts, "remove_all", forbidden)
    with pytest.warns(UserWarning, match="could not be removed .*denied.*: remove it"):
        summary = tiny.finish(store, tiny.CONFIG)
    assert (summary.num_trained, summary.failed) == (1, {})


def test_a_claim_that_cannot_be_given_back_fails_no_run_that_ended(store, monkeypatch):
    plain = Attempts._complete

    def broken(self, claims):
        plain(self, claims)
        raise OSError("the disk is gone")

    monkeypatch.setattr(Attempts, "_complete", broken)
    summary = tiny.finish(store, *tiny.SEEDS)
    assert (summary.num_trained, summary.failed) == (3, {})


def test_one_diverged_seed_of_a_group_is_recorded_as_such(store, monkeypatch):
    plain = execution.new_network

    def broken(config, data):
        network = plain(config, data)
        if config == tiny.SEEDS[1]:
            with torch.no_grad():
                next(network.parameters()).fill_(float("inf"))
        return network

    monkeypatch.setattr(execution, "new_network", broken)
    summary = tiny.finish(store, *tiny.SEEDS)
    assert (summary.num_trained, summary.num_diverged) == (3, 1)
    found = [store.read(config.run_id) for config in tiny.SEEDS]
    assert [record.status for record in found] == ["ok", "diverged", "ok"]
    assert [len(record.curves["epoch"]) for record in found] == [3, 1, 3]
    assert together(store) == [3, 3, 3]


def test_what_was_begun_is_not_trained_again_with_others(store):
    tiny.finish(store, tiny.SEEDS[0], measures=(Accuracy,))
    tiny.finish(store, *tiny.SEEDS)
    assert together(store) == [1, 2, 2]
