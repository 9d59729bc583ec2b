"""Processes that share a network train it as one does, and say what they can not."""

import dataclasses
import json
import math
import socket

import pytest
import torch

from lazyrich_helpers.experiments import files
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures import costs
from lazyrich_helpers.papers.sharded import wire
from lazyrich_helpers.runner import sharded, sharded_checkpoints
from lazyrich_helpers.runner.processes import join, together
from lazyrich_helpers.runner.stopping import Stop, Stopped
from lazyrich_helpers.training.layouts import LAYOUTS, fully_connected
from lazyrich_helpers.training.loop import initialized, train
from tests import tiny
from tests.runner import sharded_processes as own

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
    reason="this torch has no gloo",
)
PATIENCE = 240.0
"""Seconds for what takes 15 where nothing else runs; all of it takes 45 of a CPU."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of two processes found, by rank."""
    folder = tmp_path_factory.mktemp("sharded")
    with together(2, ["-m", "tests.runner.sharded_processes", str(folder)]) as pair:
        said, _ = pair.communicate(timeout=PATIENCE)
    assert pair.returncode == 0, said
    return [torch.load(folder / f"found-{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def alone():
    """The same trainings by this process."""
    return {name: own.trained(config, "") for name, config in own.CONFIGS.items()}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", own.CONFIGS)
def test_processes_train_as_one(name, layout, found, alone):
    one = alone[name]
    for each in found:
        several = each["trained"][name, layout]
        assert several["losses"] == pytest.approx(one["losses"], rel=0, abs=1e-5)
        assert several["correct"] == one["correct"]
        for key, values in one["parameters"].items():
            close = {"rtol": 0, "atol": 1e-5}
            torch.testing.assert_close(several["parameters"][key], values, **close)


def test_losses_fell_and_layers_were_frozen_at_times(alone):
    for name, one in alone.items():
        assert one["losses"][-1] < one["losses"][0], name
        plans = costs.plans_of(own.CONFIGS[name])
        assert len({plan.layers for epoch in plans for plan in epoch}) > 1, name


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layerwise_sparse_in_ones_own_loop_ends_where_one_process_does(layout, found):
    one = own.sparse_training("", own.SPARSE)
    for each in found:
        for name, values in one.items():
            close = {"rtol": 0, "atol": 1e-6}
            torch.testing.assert_close(each["sparse"][layout][name], values, **close)


@pytest.mark.parametrize("unit", own.SCHEDULES)
@pytest.mark.parametrize("kind", own.KINDS)
def test_ones_own_ddp_and_fsdp_train_as_one_process(kind, unit, found):
    for name, values in own.borrowed("alone", unit).items():
        several = found[0]["borrowed"][kind, unit][name]
        torch.testing.assert_close(several, values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("plan", own.PLANS)
def test_what_is_sent_is_what_the_formulas_say(plan, found):
    network, trainable = own.small_net(), own.PLANS[plan]
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in network.layers]
    inputs, units, classes = own.SIZES
    features = [inputs, units, units, units, classes]
    wires = {layout: found[0]["wires"][layout, plan] for layout in LAYOUTS}
    sent = {layout: wire["bytes"] for layout, wire in wires.items()}
    for counted in wires.values():
        assert counted["calls"] == counted["torch counts"] > 0
    assert sent["dp"] == wire.dp_bytes(sizes, trainable, 2)
    assert sent["tp"] == wire.tp_bytes(features, trainable, 2, own.BATCH)
    assert sent["2d"] == sent["tp"]  # on two processes its mesh is 1 × 2
    classes_short = 1  # FSDP2 cuts three classes into 2 + 2, one of them empty
    extra = classes_short * (own.SIZES[1] + 1) * wire.FP32 / 2
    passes = 3 if 3 in trainable else 2
    assert sent["fsdp"] == wire.fsdp_bytes(sizes, trainable, 2) + passes * extra


@pytest.mark.parametrize("layout", ["space", "channels out", "channels in"])
def test_torch_is_silently_wrong_and_we_refuse(layout, found):
    theirs, right, said = found[0]["convolutions"][layout]
    if layout == "channels in":
        assert theirs.shape == right.shape
        assert (theirs - right).abs().max() > 0.1
    else:
        assert theirs.numel() == right.numel() / 2
    assert "torch computes" in said


@pytest.mark.parametrize("layout", ["batch", "batch, stride 2"])
def test_a_batch_may_be_sharded(layout, found):
    theirs, right, said = found[0]["convolutions"][layout]
    torch.testing.assert_close(theirs, right, rtol=0, atol=1e-6)
    assert not said
    for theirs, right in found[0]["kernels' gradients"][layout]:
        torch.testing.assert_close(theirs, right, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", [*LAYOUTS, "another torch's tp"])
def test_what_is_frozen_stays_frozen_when_laid_out(layout, found):
    assert found[0]["trainable"][layout] == [False, False, True, True] * 2


@pytest.mark.parametrize("static_graph", [False, True])
def test_ddp_that_is_kept_reduces_what_it_was_made_for(static_graph, found):
    """Silently wrong, which is why the layout makes it anew."""
    same, error = found[0]["kept ddp"][static_graph, "top 1", "full"]
    assert same == [False] * 6 + [True] * 2 and not error  # once frozen, never reduced
    same, error = found[0]["kept ddp"][static_graph, "full", "top 1"]
    assert same == [False] * 2 and "Expected to have finished reduction" in error


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_strips_with_halos_are_the_whole(kernel, found):
    layer, maps, above = own.convolution_of(kernel)
    outputs = layer(maps.requires_grad_())
    outputs.backward(above)
    right = {"outputs": outputs.detach(), "inputs": maps.grad}
    right |= {name: p.grad for name, p in layer.named_parameters()}
    for name, values in right.items():
        torch.testing.assert_close(found[0]["strips"][kernel][name], values)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("start", "the network's start must be the same in all processes; process 1"),
        ("schedule", "the schedule must be the same in all processes; process 1 has"),
        ("width", "the units of layers.0.1 must be a multiple of the 2 processes"),
        ("batch norm", "batch norm would take other means"),
        ("layout", "shard must be one of dp, tp, 2d, fsdp; got 'ddp'"),
        ("split", "layers.0.1 is a Convolution, and only linear layers are split"),
        ("few", "a batch must be of at least 2 examples; got 1"),
    ],
)
def test_all_processes_say_what_can_not_be_shared(what, says, found):
    assert says in found[0]["refusals"][what]
    assert found[0]["refusals"][what] == found[1]["refusals"][what]


def test_linear_layers_are_split_in_pairs():
    ways = fully_connected(own.small_net(depth=2))
    assert list(ways.values()) == ["column", "row"], "the third stays whole"
    assert set(ways) == {"layers.0.1", "layers.1.0"}


WORDS = ("figure-2", "--budget", "smoke", "--widths", "64", "--seeds", "0")
EPOCHS = ("--num-epochs", "6")


def test_a_killed_process_ends_the_run_and_two_machines_go_on(tmp_path, monkeypatch):
    """Two begin with sharded parameters; two by two go on, in a 2-D mesh."""
    monkeypatch.setenv("LAZYRICH_STORE", str(tmp_path / "store"))
    records = ("--records", str(tmp_path / "records"))
    words = ["-m", "tests.runner.sharded_run", *WORDS, *EPOCHS, *records, "--shard"]
    with together(2, [*words, "fsdp"], DIES_AFTER="3") as pair:
        said, _ = pair.communicate(timeout=PATIENCE)
    assert pair.returncode == 1, said
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "another process ended" in line and "the same command goes on" in line
    said = by_two_machines([*words, "2d"])
    assert "1 done now" in said and "redistributing" not in said
    (path,) = (tmp_path / "records").glob("*.json")
    record = json.loads(path.read_text())
    assert record["origin"]["mesh"] == {"layout": "2d", "data": 2, "model": 2}
    (before,) = record["origin"]["resumed"]
    assert before["mesh"] == {"layout": "fsdp", "data": 2} and before["num_epochs"] == 3
    check_alone(record)
    assert not list((tmp_path / "store").rglob("*.sharded"))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def by_two_machines(words):
    """Run two processes each by two of torchrun, as on two machines; return words."""
    port = free_port()
    torchrun = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=2"]
    meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint=localhost:{port}"]
    machines = [tiny.python(*torchrun, *meeting, *words) for _ in range(2)]
    said = ""
    try:
        for machine in machines:
            said += "".join(machine.communicate(timeout=PATIENCE))
            assert machine.returncode == 0, said
    finally:
        for machine in machines:
            machine.kill()
            machine.communicate()  # closes its pipes
    return said


def check_alone(record):
    """Compare a record's losses with those of one process."""
    choices = {"widths": [64], "seeds": [0], "num_epochs": 6}
    (config,) = make_recipe("figure-2", "smoke", **choices).configs
    assert config.run_id == record["run_id"]
    data = config.data.load("cpu")
    network = initialized(config, data)
    losses = [epoch.train_loss for epoch in train(network, data, config)]
    # six digits are kept
    assert record["curves"]["train_loss"] == pytest.approx(losses, rel=1e-5, abs=1e-5)
    assert record["measures"].keys() >= {"accuracy", "movement", "reinit"}
    assert len(record["curves"]["epoch"]) == 6


def test_a_measure_that_fails_in_the_first_process_ends_no_other(store):
    words = ["-m", "tests.runner.sharded_failing", str(store.folder)]
    with together(2, words) as pair:
        said, _ = pair.communicate(timeout=120)  # not the two hours of a broadcast
    assert pair.returncode == 1, said
    assert "tiny at smoke: 1 done now, 0 done before, 1 FAILED." in said
    assert "seed=0: ValueError: no such layer" in said
    assert store.read(tiny.SEEDS[1].run_id).measures["picky"] == {"version": 1}
    assert "error: another process ended, or this one cannot go on (Runti" in said


@pytest.fixture
def by_itself(monkeypatch):
    """Make this process a group of one; returns what completes runs of it."""
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
    for name, value in (where | ranks).items():
        monkeypatch.setenv(name, value)
    device = join("cpu")

    def complete(store, stop=None, **fields):
        recipe = tiny.recipe(**fields)
        return sharded._Together(recipe, store, "dp", device, stop or Stop())

    yield complete
    torch.distributed.destroy_process_group()


def stopped(by_itself, store, monkeypatch, change=lambda epoch: epoch):
    """Leave a training after its second epoch, at its checkpoint."""
    plain, stop = sharded.train, Stop()

    def asking(*args, **options):
        for epoch in plain(*args, **options):
            if epoch.number == 2:
                stop.ask()
                epoch = change(epoch)
            yield epoch

    with monkeypatch.context() as patch:
        patch.setattr(sharded, "train", asking)
        with pytest.raises(Stopped):
            by_itself(store, stop).completed()


def test_when_the_time_is_over_no_run_is_begun(by_itself, store):
    with pytest.raises(Stopped):
        by_itself(store, Stop(0.0)).completed()
    assert not list(store.checkpoints.glob("*"))


def test_a_shared_run_that_diverged_is_not_gone_on_with(by_itself, store, monkeypatch):
    def diverged(epoch):
        return dataclasses.replace(epoch, train_loss=math.nan)

    stopped(by_itself, store, monkeypatch, diverged)
    assert by_itself(store).completed().num_diverged == 1
    assert store.read(tiny.CONFIG.run_id).curves["epoch"] == [1, 2]


@pytest.mark.parametrize("part", ["note.pt", ".metadata", "__0_0.distcp"])
@pytest.mark.parametrize("size", [0, 100])
def test_a_damaged_checkpoint_is_a_fresh_start(
    by_itself, store, monkeypatch, part, size
):
    stopped(by_itself, store, monkeypatch)
    (path,) = store.checkpoints.glob(f"*/*/{part}")
    path.write_bytes(path.read_bytes()[:size])
    said = f"starts anew: its checkpoint {path.parent} cannot be used"
    with pytest.warns(UserWarning, match=said):
        if part.endswith("distcp"):  # of which some process may have read its part
            with pytest.raises(RuntimeError, match="could not be read"):
                by_itself(store).completed()
        else:
            by_itself(store).completed()
    by_itself(store).completed()
    record = store.read(tiny.CONFIG.run_id)
    assert record.curves["epoch"] == [1, 2, 3] and "resumed" not in record.origin
    assert not list(store.checkpoints.glob("*"))


def test_a_passing_error_leaves_the_shared_checkpoint(by_itself, store, monkeypatch):
    stopped(by_itself, store, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", lambda *args, **options: 1 / 0)
        patch.setattr(files, "PASSING", (ZeroDivisionError,))
        patch.setattr(sharded_checkpoints, "PASSING", (ZeroDivisionError,))
        with pytest.raises(ZeroDivisionError):
            by_itself(store).completed()
    by_itself(store).completed()
    (part,) = store.read(tiny.CONFIG.run_id).origin["resumed"]
    assert part["num_epochs"] == 2


def test_shard_without_torchrun_is_one_sentence():
    process = tiny.python("-m", "lazyrich_helpers.run", *tiny.TINY, "--shard", "dp")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and not out
    assert err.splitlines()[-1].startswith(
        "error: --shard needs processes: start it by"
    )
