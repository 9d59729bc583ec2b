"""A proxy's run starts from what its pre-training left, which is trained once."""

import dataclasses
import hashlib

import pytest
import torch

from lazyrich_helpers import backlog, execution, kept
from lazyrich_helpers.convnets import VGG5, ConvNet
from lazyrich_helpers.exhibits import make_recipe
from lazyrich_helpers.initialization import InitPart, XavierNormal, flat_parameters
from lazyrich_helpers.measures import Accuracy
from lazyrich_helpers.models import ReluNet
from lazyrich_helpers.optimizers import SGD
from lazyrich_helpers.planning import blueprint
from lazyrich_helpers.proxy import Proxy, source_of
from lazyrich_helpers.recipes import collect
from lazyrich_helpers.run import main
from lazyrich_helpers.schedules import Full, TopK
from lazyrich_helpers.train import new_network
from tests import tiny

SMALL = tiny.config(
    model=ConvNet(width=3, depth=2),
    init=Proxy(pretrain_size=100, pretrain_epochs=1, pretrain_seed=9),
)
SOURCE = source_of(SMALL)
NUM_KERNELS = 3 * 9 + 3 + 27 * 3 + 3
"""Parameters of its convolutions, which come first."""


def seeds(*values):
    training = SMALL.training
    return [
        dataclasses.replace(SMALL, training=dataclasses.replace(training, seed=seed))
        for seed in values
    ]


def test_the_other_run_trains_the_same_network_whole_on_other_images():
    sparse = dataclasses.replace(
        SMALL, updates=TopK(k=1), optimizer=SGD(lr=0.2), training=seeds(4)[0].training
    )
    source = source_of(sparse)
    assert (source.model, source.optimizer) == (sparse.model, sparse.optimizer)
    assert source.init == XavierNormal() and source.updates == Full()
    assert source.data.train_size == 100 and source.data.skipped == 2 * 200
    expected = dataclasses.replace(sparse.training, num_epochs=1, seed=9)
    assert source.training == expected
    assert source_of(source) is None and source_of(tiny.CONFIG) is None


def test_one_serves_all_seeds_schedules_and_lengths_of_training():
    longer = dataclasses.replace(SMALL.training, num_epochs=7)
    others = [*seeds(1, 2), dataclasses.replace(SMALL, updates=TopK(k=1))]
    others.append(dataclasses.replace(SMALL, training=longer))
    assert {source_of(config).run_id for config in others} == {SOURCE.run_id}
    assert len({SMALL.run_id, *(config.run_id for config in others)}) == 5


def test_its_id_says_it_all():
    assert SMALL.to_dict()["init"] == {
        "kind": "proxy",
        "pretrain_size": 100,
        "pretrain_epochs": 1,
        "pretrain_seed": 9,
    }
    assert SMALL.run_id == "cb412ae64834"
    assert isinstance(SMALL.init, InitPart)


def test_convolutions_are_the_other_runs_and_the_classifier_is_xaviers(store):
    summary = tiny.finish(store, *seeds(0, 1))
    assert (summary.num_trained, summary.num_there, summary.failed) == (3, 0, {})
    _, trained = store.read_weights(SOURCE.run_id)
    for config in seeds(0, 1):
        initial, final = store.read_weights(config.run_id)
        plain = dataclasses.replace(config, init=XavierNormal())
        xavier = flat_parameters(new_network(plain, plain.data.load()))
        assert len(xavier) == NUM_KERNELS + 10 * (3 * 2 * 2 + 1)
        assert torch.equal(initial[:NUM_KERNELS], trained[:NUM_KERNELS])
        assert torch.equal(initial[NUM_KERNELS:], xavier[NUM_KERNELS:])
        assert not torch.equal(final, initial)
        digest = hashlib.sha256(trained.numpy().tobytes()).hexdigest()[:12]
        start = {"run_id": SOURCE.run_id, "weights": digest}
        assert store.read(config.run_id).origin["pretrained"] == start
    assert store.read(SOURCE.run_id).measures.keys() == {"accuracy"}
    assert "pretrained" not in store.read(SOURCE.run_id).origin


def test_another_store_comes_to_the_same_numbers(store, tmp_path):
    one = tiny.results(store, SMALL).records[0]
    other = type(store)(tmp_path / "other", tmp_path / "weights")
    two = tiny.results(other, SMALL).records[0]
    assert one.origin["weights"] == two.origin["weights"]
    assert one.curves == two.curves


def test_it_is_trained_once_and_again_only_where_it_is_needed(store, no_training):
    tiny.finish(store, seeds(0)[0])
    tiny.finish(store, seeds(1)[0])
    source = store.weights / f"{SOURCE.run_id}.pt"
    before = store.read(SOURCE.run_id)
    source.unlink()
    assert tiny.finish(store, seeds(2)[0]).num_trained == 2  # a record is not enough
    assert store.read(SOURCE.run_id).origin["weights"] == before.origin["weights"]
    source.unlink()
    no_training()
    assert tiny.finish(store, *seeds(0, 1, 2)).num_there == 3
    assert not source.exists()


def test_weights_of_another_training_are_not_taken(store):
    tiny.finish(store, seeds(0)[0])
    good, other = store.read_weights(SOURCE.run_id)[1], torch.zeros(5)
    store.write_weights(SOURCE.run_id, other, other)
    assert tiny.finish(store, seeds(1)[0]).num_trained == 2
    assert torch.equal(store.read_weights(SOURCE.run_id)[1], good)
    store.write_weights(SOURCE.run_id, other, other)
    with pytest.raises(ValueError, match=f"from the weights of run {SOURCE.run_id}"):
        execution._started(SMALL, SMALL.data.load(), store)


def test_nobody_starts_without_it():
    with pytest.raises(ValueError, match="needs the run that pre-trains it") as raised:
        new_network(SMALL, SMALL.data.load())
    assert "\n" not in str(raised.value)


def only_pre_training(monkeypatch, does):
    """Let `does` replace the training of what a proxy starts from."""
    plain = execution.train

    def train(network, data, config, **options):
        if config == SOURCE:
            return does(network, data, config, **options)
        return plain(network, data, config, **options)

    monkeypatch.setattr(execution, "train", train)


def test_failing_pre_training_costs_the_runs_that_need_it_alone(store, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        only_pre_training(patch, fail)
        summary = tiny.finish(store, *seeds(0, 1), tiny.CONFIG)
    assert summary.num_trained == 1 and store.read(tiny.CONFIG.run_id).status == "ok"
    alone, waiting = summary.failed.items()
    assert "digits (rest) conv_net" in alone[0] and "out of luck" in alone[1]
    assert waiting[0].startswith("2 runs that start from digits (rest) conv_net")
    assert f"run {SOURCE.run_id} left no weights of its own under" in waiting[1]
    assert store.read(SMALL.run_id) is None
    assert tiny.finish(store, SMALL).num_trained == 2


def test_diverged_pre_training_is_said(store, monkeypatch):
    def diverge(network, data, config, **options):
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))
        yield execution.Epoch(1, float("nan"), 0, 0.1)

    only_pre_training(monkeypatch, diverge)
    for _ in range(2):
        summary = tiny.finish(store, SMALL)
        ((run, why),) = summary.failed.items()
        assert run.startswith("1 runs that start") and "\n" not in why
        assert why == "their pre-training diverged; choose a smaller learning rate."
    assert store.read(SOURCE.run_id).status == "diverged"
    assert summary.num_diverged == 0  # it was there


def test_unreadable_weights_are_named(store):
    tiny.finish(store, seeds(0)[0])
    path = store.weights / f"{SOURCE.run_id}.pt"
    path.write_bytes(b"no weights")
    summary = tiny.finish(store, seeds(1)[0])
    assert any(f"{path} is not a readable" in why for why in summary.failed.values())
    assert path.read_bytes() == b"no weights"
    path.unlink()
    assert tiny.finish(store, seeds(1)[0]).num_trained == 2


def test_a_time_budget_postpones_it_with_what_it_is_for(store, monkeypatch):
    def estimate(config, *args, **options):
        return 1e9 if config == SOURCE else 1.0

    monkeypatch.setattr(backlog, "estimate_seconds", estimate)
    summary = tiny.finish(store, SMALL, tiny.CONFIG, seconds=1000.0)
    assert summary.postponed == [SOURCE, SMALL] and summary.failed == {}
    assert store.ids() == [tiny.CONFIG.run_id]


def test_it_is_left_to_another_process(store):
    with store.lock(SOURCE.run_id):
        summary = tiny.finish(store, SMALL, seconds=0.2)
    assert summary.postponed == [SOURCE, SMALL] and store.ids() == []


def test_a_stale_start_is_trained_anew(store, monkeypatch):
    tiny.finish(store, SMALL)
    monkeypatch.setitem(execution.origin.NUMERICS, "train", 99)
    assert tiny.finish(store, SMALL).num_trained == 2
    assert not store.read(SOURCE.run_id).stale and not store.read(SMALL.run_id).stale


def test_stale_weights_are_no_start(store, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("out of luck")

    tiny.finish(store, seeds(0)[0])
    monkeypatch.setitem(execution.origin.NUMERICS, "train", 99)
    only_pre_training(monkeypatch, fail)
    summary = tiny.finish(store, seeds(1)[0])
    assert summary.num_trained == 0 and len(summary.failed) == 2


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (ReluNet(width=3, depth=1), "'0 convolutions'"),
        (VGG5(width=2, batch_norm=True), "'10 convolutions and batch norm'"),
    ],
)
def test_a_network_that_can_not_start_so_stops_the_batch(store, model, found):
    config = dataclasses.replace(SMALL, model=model)
    with pytest.raises(ValueError, match=rf"^model must be one of con.* got {found}\."):
        tiny.finish(store, tiny.CONFIG, config)
    assert store.ids() == []
    SMALL.init.require_ready(blueprint(SMALL))


def test_too_few_other_images_stop_the_batch(store, capsys):
    init = dataclasses.replace(SMALL.init, pretrain_size=2000)
    with pytest.raises(ValueError, match="choose a smaller train_size"):
        tiny.finish(store, dataclasses.replace(SMALL, init=init))
    words = ["table-1-proxy", "--budget", "smoke", "--train-size", "300"]
    for more in ([], ["--dry-run"]):
        assert main([*words, *more]) == 2
        out, err = capsys.readouterr()
        assert (
            out == "" and err.startswith("error: 900 images") and "\n" not in err[:-1]
        )
    assert store.ids() == []


def test_the_recipe_runs_end_to_end_and_goes_on(store, known_trial, capsys):
    words = ["table-1-proxy", "--budget", "smoke"]
    assert main([*words, "--dry-run"]) == 0
    title, first, *_ = capsys.readouterr().out.splitlines()
    assert title == "table-1-proxy at smoke: 7 to do, 0 done before."
    assert " digits (rest) vgg11 " in first and store.ids() == []
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "8 done now, 0 done before." in out and "from proxy seed=0" in out
    recipe = make_recipe("table-1-proxy", "smoke")
    assert len(collect(recipe, store).records) == 7 and len(store.ids()) == 8
    assert main(words) == 0
    assert "0 done now, 7 done before." in capsys.readouterr().out


def test_a_later_measurement_needs_no_pre_trained_network(store, monkeypatch):
    tiny.finish(store, SMALL, measures=(Accuracy,))
    monkeypatch.setattr(Accuracy, "version", Accuracy.version + 1)

    def never(*args):
        raise AssertionError("started again")

    monkeypatch.setattr(execution, "_started", never)
    record = store.read(SMALL.run_id)
    found = kept.measured_again(record, tiny.recipe(SMALL), store, "cpu")
    assert found.measures["accuracy"]["version"] == Accuracy.version
