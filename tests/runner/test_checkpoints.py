"""A training that was interrupted ends as if it had not been, to the last bit."""

import copy
import dataclasses
import errno
import math
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from lazyrich_helpers.data.datasets import Split, images
from lazyrich_helpers.experiments import files, records
from lazyrich_helpers.experiments.record import NUMERICS
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.lws.baselines import BAdam, FreezeOut
from lazyrich_helpers.lws.schedules import TopKAllBottoms
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.measures.times import Clock
from lazyrich_helpers.models.convnets import VGG5
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.runner import checkpoints, execution
from lazyrich_helpers.runner.checkpoints import Checkpoint
from lazyrich_helpers.runner.progress import Lines
from lazyrich_helpers.runner.stopping import Stop
from lazyrich_helpers.training import ensemble
from lazyrich_helpers.training.loop import TrainingState, new_network, train
from lazyrich_helpers.training.objectives import Scaled
from lazyrich_helpers.training.optimizers import SGD, HarmonicSGD
from tests import tiny

WATCHING = (Accuracy, Activity, GradientConcentration)
LARGE = images("digits", train_size=200, image_size=28)
STEPS = 7
"""Of an epoch."""
RUNS = {
    "Adam": tiny.CONFIG,
    "momentum, decay": tiny.config(optimizer=SGD(lr=0.1)),
    "some epochs": tiny.config(updates=TopKAllBottoms(k=1, rho=0.4)),
    "forgets": tiny.config(updates=BAdam(steps_per_epoch=STEPS, switch_block_every=3)),
    "rates": tiny.config(updates=FreezeOut(steps_per_epoch=STEPS, total_epochs=3)),
    "bf16": tiny.config(precision="bf16"),
    "sees its start": tiny.config(
        objective=Scaled(output_scale=3.0), optimizer=HarmonicSGD(lr=0.1)
    ),
    "batch norm": tiny.config(model=ResNet18(width=2), data=LARGE),
    "kept bottom": tiny.config(
        model=VGG5(width=2), data=LARGE, updates=TopKAllBottoms(k=2, rho=0.4)
    ),
}


class _Stopping(Lines):
    """Asks to stop once a run has come to the end of so many epochs."""

    def __init__(self, stop: Stop, epochs: int) -> None:
        self.stop, self.left = stop, epochs
        self.first = None

    def advance(self, config, epoch):
        self.first = self.first or config
        self.left -= config == self.first
        if self.left <= 0:
            self.stop.ask()
        super().advance(config, epoch)


def after(epochs):
    """Return options that stop a batch after so many epochs."""
    stop = Stop()
    return {"stop": stop, "progress": _Stopping(stop, epochs)}


@pytest.fixture
def after_each(monkeypatch):
    """Write a checkpoint after every epoch."""
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)


def in_parts(store, *configs, measures=WATCHING):
    """Complete `configs`, one epoch at a time; return the number of parts."""
    for part in range(1, 9):
        summary = tiny.finish(store, *configs, measures=measures, **after(1))
        assert not summary.failed
        if not summary.postponed:
            return part
        assert summary.num_begun == len(configs) == len(summary.postponed)
        assert f"{len(configs)} left for later, {len(configs)} of them" in str(summary)
    raise AssertionError("never ends")


def numbers(store, config):
    """Return all that must not depend on an interruption."""
    record = store.read(config.run_id)
    names = sorted(store.read_arrays(config.run_id))
    arrays = [store.read_arrays(config.run_id)[name].tolist() for name in names]
    origin = {k: record.origin[k] for k in ("weights", "data", "numerics")}
    return record.status, record.curves, record.measures, origin, names, arrays


@pytest.mark.parametrize("config", RUNS.values(), ids=RUNS)
def test_an_interrupted_run_ends_as_a_straight_one(store, tmp_path, config):
    assert in_parts(store, config) == 4  # three epochs, then the measures
    straight = Store(tmp_path / "straight", tmp_path / "weights")
    tiny.finish(straight, config, measures=WATCHING)
    assert numbers(store, config) == numbers(straight, config)
    assert not list(store.checkpoints.glob("*"))
    parts = store.read(config.run_id).origin["resumed"]
    assert [part["num_epochs"] for part in parts] == [1, 2, 3]
    assert "resumed" not in straight.read(config.run_id).origin


def test_seeds_trained_as_one_go_on_as_one(store, tmp_path):
    assert in_parts(store, *tiny.SEEDS) == 4
    straight = Store(tmp_path / "straight", tmp_path / "weights")
    tiny.finish(straight, *tiny.SEEDS, measures=WATCHING)
    for config in tiny.SEEDS:
        assert numbers(store, config) == numbers(straight, config)
        assert store.read(config.run_id).origin["together"] == [0, 1, 2]


@pytest.mark.parametrize("configs", [[tiny.CONFIG], tiny.SEEDS], ids=["one", "three"])
def test_a_diverged_run_is_not_gone_on_with(store, configs, monkeypatch):
    plain = execution.train if len(configs) == 1 else execution.train_ensemble
    monkeypatch.setattr(execution, plain.__name__, _diverging(plain))
    tiny.finish(store, *configs, **after(2))
    summary = tiny.finish(store, *configs)
    assert summary.num_diverged == len(configs) and not summary.postponed
    for config in configs:
        assert store.read(config.run_id).curves["epoch"] == [1, 2]


def _diverging(plain):
    """Return `plain` with a loss that is no number from the second epoch on."""

    def changed(epoch):
        return dataclasses.replace(epoch, train_loss=math.nan)

    def train(*args, **options):
        rows = plain(*args, **options)
        yield next(rows)
        row = next(rows)
        yield (
            [changed(epoch) for epoch in row] if isinstance(row, list) else changed(row)
        )

    return train


def test_a_record_that_is_not_safe_leaves_its_checkpoint(
    store, monkeypatch, after_each
):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_whole", full)
        assert len(tiny.finish(store, tiny.CONFIG).failed) == 1
        assert len(tiny.finish(store, *tiny.SEEDS[1:]).failed) == 2
    kept = [c.run_id for c in (tiny.CONFIG, *tiny.SEEDS[1:])]
    tiny.finish(store, tiny.CONFIG, *tiny.SEEDS[1:])
    for run_id in kept:
        (part,) = store.read(run_id).origin["resumed"]
        assert part["num_epochs"] == 3
    assert not list(store.checkpoints.glob("*"))


def test_a_begun_group_goes_on_as_it_was(store):
    tiny.finish(store, *tiny.SEEDS, **after(1))
    others = [tiny.config(seed=seed) for seed in (3, 4)]
    tiny.finish(store, *tiny.SEEDS[1:], *others, tiny.SEEDS[0])
    found = [store.read(config.run_id).origin for config in (*tiny.SEEDS, *others)]
    together = [origin["together"] for origin in found]
    assert together == [[0, 1, 2]] * 3 + [[3, 4]] * 2
    assert ["resumed" in origin for origin in found] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("num", [1, 2])
def test_a_group_that_is_killed_amid_its_records_is_not_trained_again(
    store, tmp_path, monkeypatch, after_each, num
):
    plain, measured = execution.record_of, []

    def killed(watched, *rest):
        measured.append(watched.run.config)
        if len(measured) > num:
            raise SystemExit
        return plain(watched, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(execution, "record_of", killed)
        with pytest.raises(SystemExit):
            tiny.finish(store, *tiny.SEEDS)
    before = tiny.contents(store.folder)
    assert len(store.ids()) == num
    progress = Lines()
    with monkeypatch.context() as patch:
        patch.setattr(ensemble, "_train_epoch", None)
        summary = tiny.finish(store, *tiny.SEEDS, progress=progress)
    assert (summary.num_trained, summary.num_there) == (3 - num, num)
    assert before.items() <= tiny.contents(store.folder).items()
    for config in tiny.SEEDS:
        origin = store.read(config.run_id).origin
        assert origin["together"] == [0, 1, 2]
        assert ("resumed" in origin) == (config in tiny.SEEDS[num:])
    assert not list(store.checkpoints.glob("*"))
    assert progress.done <= progress.total
    straight = Store(tmp_path / "straight", tmp_path / "weights")
    tiny.finish(straight, *tiny.SEEDS)
    for config in tiny.SEEDS:
        assert numbers(store, config) == numbers(straight, config)


def test_a_group_amid_which_one_is_held_is_trained_without_it(store):
    tiny.finish(store, *tiny.SEEDS, **after(1))
    with ThreadPoolExecutor() as pool:
        with store.lock(tiny.SEEDS[2].run_id):
            batch = pool.submit(tiny.finish, store, *tiny.SEEDS)
            tiny.wait_for(lambda: len(store.ids()) == 2 or batch.done())
        assert batch.result(timeout=60).num_trained == 3
    together = [store.read(c.run_id).origin.get("together") for c in tiny.SEEDS]
    assert together == [[0, 1], [0, 1], None]


@pytest.mark.parametrize("error", [OSError("I/O"), torch.OutOfMemoryError("full")])
def test_a_passing_error_leaves_the_checkpoint(store, monkeypatch, error):
    tiny.finish(store, tiny.CONFIG, **after(2))

    def fails(*args, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(files.torch, "load", fails)
        assert len(tiny.finish(store, tiny.CONFIG).failed) == 1
    tiny.finish(store, tiny.CONFIG)
    (part,) = store.read(tiny.CONFIG.run_id).origin["resumed"]
    assert part["num_epochs"] == 2


def test_a_killed_training_goes_on_from_its_last_checkpoint(
    store, monkeypatch, after_each
):
    plain, seen = execution.train, []

    def killed(*args, **options):
        for epoch in plain(*args, **options):
            seen.append(epoch.number)
            if epoch.number == 3 and seen.count(3) == 1:
                raise SystemExit  # as sudden as it gets in one process
            yield epoch

    monkeypatch.setattr(execution, "train", killed)
    with pytest.raises(SystemExit):
        tiny.finish(store, tiny.CONFIG)
    assert len(list(store.checkpoints.glob("*.pt"))) == 1
    tiny.finish(store, tiny.CONFIG)
    assert seen == [1, 2, 3, 3]
    assert not list(store.checkpoints.glob("*"))


def test_short_trainings_leave_the_disk_alone(store, monkeypatch):
    monkeypatch.setattr(checkpoints, "write_tensors", None)
    assert tiny.finish(store, tiny.CONFIG).num_trained == 1


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a checkpoint was executed",))


def _malicious(path):
    path.write_bytes(pickle.dumps({"content": Evil()}, protocol=2))


def _of_other_runs(path):
    torch.save(torch.load(path) | {"of": "other runs"}, path)


def _of_another_network(path):
    kept = torch.load(path)
    weights = kept["content"]["state"]["network"]
    weights["layers.0.1.weight"] = weights["layers.0.1.weight"][:3]
    torch.save(kept, path)


def _lacking(path):
    kept = torch.load(path)
    del kept["content"]["state"]["optimizer"]
    torch.save(kept, path)


@pytest.mark.parametrize(
    "spoil",
    [
        _malicious,
        _of_other_runs,
        _of_another_network,
        _lacking,
        lambda path: torch.save([1, 2], path),
        lambda path: path.write_bytes(path.read_bytes()[:200]),
    ],
)
def test_a_bad_checkpoint_is_a_sentence_and_a_fresh_start(store, tmp_path, spoil):
    tiny.finish(store, tiny.CONFIG, **after(1))
    (path,) = store.checkpoints.glob("*.pt")
    spoil(path)
    with pytest.warns(UserWarning, match=rf"starts anew: its checkpoint {path} cannot"):
        assert tiny.finish(store, tiny.CONFIG).num_trained == 1
    straight = Store(tmp_path / "straight", tmp_path / "weights")
    tiny.finish(straight, tiny.CONFIG)
    assert numbers(store, tiny.CONFIG) == numbers(straight, tiny.CONFIG)
    assert not path.exists()


def test_a_full_disk_costs_the_checkpoint_alone(store, monkeypatch):
    checkpoint = Checkpoint([tiny.CONFIG], tiny.recipe(), store)

    def full(*args):
        raise RuntimeError("no space left")  # torch's word for it

    with monkeypatch.context() as patch:
        patch.setattr(files.torch, "save", full)
        with pytest.warns(UserWarning, match="has no checkpoint .*free some space"):
            checkpoint.write({"a": 1})
    assert not list(store.checkpoints.glob("*"))


def test_time_between_two_processes_does_not_count(store):
    tiny.finish(store, tiny.CONFIG, measures=(Clock,), **after(2))
    time.sleep(3.0)  # the training itself takes about 0.05 s
    tiny.finish(store, tiny.CONFIG, measures=(Clock,))
    record = store.read(tiny.CONFIG.run_id)
    seconds = record.measures["clock"]["seconds"]
    assert seconds == sorted(seconds) and len(seconds) == 3 and seconds[-1] < 3.0
    assert record.times["train"] <= record.times["total"] < 3.0


@pytest.mark.parametrize("kind", ["shifted", "views"])
def test_augmented_images_go_on_as_they_would_have(kind):
    config = tiny.config(updates=TopKAllBottoms(k=1, rho=0.4))
    data = config.data.load()
    views = tuple(Split(data.train.images + n, data.train.labels) for n in (0, 1))
    changes = {"shifted": {"shift": 2}, "views": {"views": views}}[kind]
    data = dataclasses.replace(data, **changes)
    straight = new_network(config, data)
    epochs = list(train(straight, data, config))
    network = new_network(config, data)
    state, seen = TrainingState(network, data, config).state_dict(), []
    for _ in epochs:
        network = new_network(config, data)
        again = TrainingState(network, data, config)
        again.load_state_dict(state)
        seen.append(next(train(network, data, config, state=again)))
        state = copy.deepcopy(again.state_dict())
    assert torch.equal(flat_parameters(network), flat_parameters(straight))
    assert [e.train_loss for e in seen] == [e.train_loss for e in epochs]


def rising_network():
    """Return a network whose third layer makes more of an image than those below."""
    torch.manual_seed(0)
    bottom = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.ReLU())
    middle = [nn.Sequential(nn.Linear(a, b), nn.ReLU()) for a, b in ((4, 8), (8, 40))]
    return Network([bottom, *middle, nn.Linear(40, 10)])


def test_cached_activations_are_there_again():
    # In the last epoch a layer reads what was kept for the one before: its own inputs
    # would take too much.
    updates = tiny.Cuts(cuts=(0, 1, 2, 3))
    config = tiny.config(num_epochs=4, updates=updates)
    data = config.data.load()
    most = 4 * 500 * (4 + 8)  # fp32, test images: layers 1 and 2 read so many numbers
    straight = rising_network()
    kept = TrainingState(straight, data, config, cache_bytes=most)
    state, seen = copy.deepcopy(kept.state_dict()), []
    for epoch in train(straight, data, config, state=kept):
        network = rising_network()
        again = TrainingState(network, data, config, cache_bytes=most)
        again.load_state_dict(state)
        resumed = next(train(network, data, config, state=again))
        assert resumed.train_loss == epoch.train_loss
        assert resumed.num_correct == epoch.num_correct
        assert torch.equal(flat_parameters(network), flat_parameters(straight))
        caches = (*again.caches, again.test_cache)
        seen.append([max(cache.starts) for cache in caches])
        assert again.state_dict()["bottoms"] == kept.state_dict()["bottoms"]
        state = copy.deepcopy(again.state_dict())
    assert seen == [[0, 0], [1, 1], [2, 2], [2, 2]]
    assert kept.caches[0].starts == [0, 1, 2]


def test_checkpoints_of_other_measures_or_numerics_stand_apart(store, monkeypatch):
    one, other = (
        Checkpoint([tiny.CONFIG], tiny.recipe(measures=measures), store)
        for measures in ((Accuracy,), (Accuracy, Activity))
    )
    monkeypatch.setitem(NUMERICS, "train", NUMERICS["train"] + 1)
    later = Checkpoint([tiny.CONFIG], tiny.recipe(measures=(Accuracy,)), store)
    one.write({"a": 1})
    assert other.read("cpu") is later.read("cpu") is None
    assert one.read("cpu") == {"a": 1}
    shared = store.checkpoints / f"{tiny.CONFIG.run_id}-of-several.sharded"
    (shared / "000001").mkdir(parents=True)
    tiny.finish(store, tiny.CONFIG)  # which leaves nothing, of other code neither
    assert not list(store.checkpoints.iterdir())
