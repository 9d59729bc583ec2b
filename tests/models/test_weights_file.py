"""A run starts from a file of convolutions, made of a run here, or says why not."""

import dataclasses
import hashlib

import pytest
import torch

from lazyrich_helpers.data.sources import DataError
from lazyrich_helpers.experiments import vgg11_exhibits
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.experiments.recipes import collect
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.models import weights_file
from lazyrich_helpers.models.convnets import VGG5, ConvNet
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.models.weights_file import WeightsFile, weights_path
from lazyrich_helpers.run import main
from lazyrich_helpers.runner import make_weights
from lazyrich_helpers.training.loop import new_network
from tests import tiny

SOURCE = tiny.config(model=ConvNet(width=3, depth=2))
NUM_KERNELS = 3 * 9 + 3 + 27 * 3 + 3
"""Parameters of its convolutions, which come first."""
FILE = "tiny.pt"


def starting(sha256, seed=0):
    training = dataclasses.replace(SOURCE.training, seed=seed)
    init = WeightsFile(file=FILE, sha256=sha256)
    return dataclasses.replace(SOURCE, init=init, training=training)


@pytest.fixture
def made(offline, store):
    """The digest of a file that is made of a run which the store has, and its place."""
    tiny.finish(store, SOURCE, measures=(Accuracy,))
    path = weights_path(FILE)
    weights_file._read.cache_clear()
    return make_weights.make_weights(SOURCE.run_id, store, path), path


def test_convolutions_are_the_files_and_the_classifier_is_xaviers(made, store):
    sha256, _ = made
    _, trained = store.read_weights(SOURCE.run_id)
    configs = [starting(sha256, seed) for seed in (0, 1)]
    assert tiny.finish(store, *configs).num_trained == 2
    assert isinstance(configs[0].init, InitPart)
    for config in configs:
        initial, final = store.read_weights(config.run_id)
        plain = dataclasses.replace(config, init=XavierNormal())
        xavier = flat_parameters(new_network(plain, plain.data.load()))
        assert len(xavier) == NUM_KERNELS + 10 * (3 * 2 * 2 + 1)
        assert torch.equal(initial[:NUM_KERNELS], trained[:NUM_KERNELS])
        assert torch.equal(initial[NUM_KERNELS:], xavier[NUM_KERNELS:])
        assert not torch.equal(final, initial)


def test_the_same_weights_make_the_same_small_file(made, store, tmp_path):
    sha256, path = made
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    again = tmp_path / "of another name"
    assert make_weights.make_weights(SOURCE.run_id, store, again) == sha256
    found = torch.load(path, weights_only=True)["convolutions"]
    held = sum(values.untyped_storage().nbytes() for values in found)
    assert held == 4 * NUM_KERNELS  # the classifier is not in it


def test_the_command_makes_it_and_says_what_names_it(store, offline, capsys):
    tiny.finish(store, SOURCE, measures=(Accuracy,))
    path = weights_path(FILE)
    assert make_weights.main([SOURCE.run_id, str(path)]) == 0
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    expected = f"WeightsFile(file='tiny.pt', sha256='{sha256}')\n"
    assert capsys.readouterr().out.endswith(expected)
    assert make_weights.main([SOURCE.run_id]) == 2
    assert capsys.readouterr().out.startswith("usage: python -m lazyrich_helpers.run")


def test_a_run_without_weights_makes_no_file(store, tmp_path, capsys):
    path = tmp_path / FILE
    assert make_weights.main([SOURCE.run_id, str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and not path.exists()
    assert err.startswith(f"error: run {SOURCE.run_id} left no weights of its own")
    tiny.finish(store, SOURCE, measures=(Accuracy,))
    other = torch.zeros(5)
    store.write_weights(SOURCE.run_id, other, other)  # another training's
    with pytest.raises(ValueError, match="left no weights of its own"):
        make_weights.make_weights(SOURCE.run_id, store, path)
    dense = tiny.CONFIG
    tiny.finish(store, dense, measures=(Accuracy,))
    with pytest.raises(ValueError, match=r"^model must be one of convolutions"):
        make_weights.make_weights(dense.run_id, store, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is not there; put it there, or set LAZYRICH_W"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "truncated or altered"),
        (lambda path: path.write_bytes(b""), "truncated or altered"),
    ],
)
def test_damage_is_one_sentence_and_stops_the_batch(made, store, damage, words):
    sha256, path = made
    damage(path)
    with pytest.raises(DataError, match=words) as raised:
        tiny.finish(store, tiny.CONFIG, starting(sha256))
    said = str(raised.value)
    assert str(path) in said and "\n" not in said and said.endswith(".")
    assert store.ids() == [SOURCE.run_id]


@pytest.mark.parametrize("content", [{"run_id": 3}, {"convolutions": [1]}, [2]])
def test_a_file_of_something_else_is_one_sentence(offline, content):
    path = weights_path(FILE)
    path.parent.mkdir()
    torch.save(content, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    config = starting(sha256)
    with pytest.raises(DataError, match="holds no convolutions") as raised:
        config.init.require_ready(config.blueprint())
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ReluNet(width=3, depth=1), "one of convolutions.*got '0 convolutions'"),
        (VGG5(width=2, batch_norm=True), "got '10 convolutions and batch norm'"),
        (ConvNet(width=4, depth=2), r"\(3, 1, 3, 3\).* as tiny.pt has them"),
        (ConvNet(width=3, depth=4), "as tiny.pt has them"),
    ],
)
def test_a_network_that_can_not_start_so_stops_the_batch(made, store, model, words):
    config = dataclasses.replace(starting(made[0]), model=model)
    with pytest.raises(ValueError, match=rf"^model must be .*{words}"):
        tiny.finish(store, tiny.CONFIG, config)
    assert store.ids() == [SOURCE.run_id]


def test_the_variable_names_a_folder_or_a_file_in_it_or_the_books_is_taken(
    made, monkeypatch, tmp_path
):
    sha256, path = made
    config = starting(sha256)
    monkeypatch.setenv("LAZYRICH_WEIGHTS", str(path))
    config.init.require_ready(config.blueprint())
    elsewhere = tmp_path / "of ImageNet"
    monkeypatch.setenv("LAZYRICH_WEIGHTS", str(elsewhere))
    with pytest.raises(DataError, match=r"of ImageNet/tiny\.pt, .* is not there"):
        config.init.require_ready(config.blueprint())
    monkeypatch.setattr(weights_file, "COMMITTED", path.parent)
    config.init.require_ready(config.blueprint())


WORDS = ["table-1-standin", "--budget", "smoke"]


def test_a_stand_in_that_is_not_made_is_a_sentence_with_the_way(offline, store, capsys):
    for more in ([], ["--dry-run"]):
        assert main([*WORDS, *more]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and store.ids() == []
        file = "vgg11-digits-200-w2-classes.pt"
        assert err.startswith(f"error: {file}, the weights to start from, has not been")
        for word in ("run pretrain-standin`", f"RUN_ID {weights_path(file)}`"):
            assert word in err


def test_the_way_leads_to_the_table(offline, store, monkeypatch, known_trial, capsys):
    assert main(["pretrain-standin", "--budget", "smoke"]) == 0
    (source,) = make_recipe("pretrain-standin", "smoke").configs
    (start,) = {c.init for c in make_recipe("table-1-standin", "smoke").configs}
    path = weights_path(start.file)
    sha256 = make_weights.make_weights(source.run_id, store, path)
    monkeypatch.setitem(vgg11_exhibits.STANDINS, start.file, sha256[:8])
    assert main([*WORDS, "--dry-run"]) == 0
    assert " 5 to do, 0 done before." in capsys.readouterr().out
    assert main([*WORDS, "--workers", "1"]) == 0
    assert "5 done now, 0 done before." in capsys.readouterr().out
    recipe = make_recipe("table-1-standin", "smoke")
    records = collect(recipe, store).records
    assert len(records) == 5 and len(store.ids()) == 6
    assert {record.columns()["sha256"] for record in records} == {sha256[:8]}
