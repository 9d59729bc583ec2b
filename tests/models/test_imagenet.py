"""ImageNet's convolutions are the file's, the rest is Xavier's, or it is a sentence.

The file itself is not at hand: a made one has its names and shapes.
"""

import functools
import hashlib
import importlib.util
import io
import itertools
import pickle
import types
from pathlib import Path

import pytest
import torch

from lazyrich_helpers.data import vision
from lazyrich_helpers.data.sources import DataError
from lazyrich_helpers.experiments import vgg11_exhibits
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.models import imagenet
from lazyrich_helpers.models.convnets import VGG5, VGG11, ConvNet
from lazyrich_helpers.models.imagenet import FILE, SHA256, ImageNetVGG11, weights_path
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.models.resnet import ResNet18
from lazyrich_helpers.models.vectors import flat_parameters
from lazyrich_helpers.run import main
from tests import tiny
from tests.data.test_datasets import DAMAGES, cifar_contents, put

CHANNELS = [3, 64, 128, 256, 256, 512, 512, 512, 512]
COLOUR = (3, 32, 32)


@pytest.fixture(scope="session")
def state():
    """What the file holds, but for its larger classifier."""
    stream = torch.Generator().manual_seed(5)
    tensors = {"classifier.6.bias": torch.zeros(1000)}
    pairs = itertools.pairwise(CHANNELS)
    places = (0, 3, 6, 8, 11, 13, 16, 18)
    for place, (fan_in, fan_out) in zip(places, pairs, strict=True):
        std = (2 / (9 * fan_in)) ** 0.5
        shape = (fan_out, fan_in, 3, 3)
        weight = std * torch.randn(shape, generator=stream)
        tensors[f"features.{place}.weight"] = weight
        tensors[f"features.{place}.bias"] = 0.1 * torch.randn(fan_out, generator=stream)
    return tensors


def saved(content, zipped=True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@pytest.fixture(scope="session")
def content(state) -> bytes:
    return saved(state)


def publish(content: bytes, monkeypatch) -> ImageNetVGG11:
    """Make `content` the published file, put it in its place; return the part."""
    path = weights_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setattr(imagenet, "SHA256", sha256)
    imagenet._read.cache_clear()
    return ImageNetVGG11(sha256=sha256)


@pytest.fixture
def part(offline, content, monkeypatch):
    """The part that reads the made file."""
    return publish(content, monkeypatch)


def network(model=None, shape=COLOUR):
    return (model or VGG11()).build(shape, 10)


@pytest.mark.parametrize("zipped", [True, False], ids=["now", "torch's older format"])
def test_convolutions_are_the_files_and_the_classifier_is_xaviers(
    offline, state, monkeypatch, zipped
):
    part = publish(saved(state, zipped=zipped), monkeypatch)
    own, plain = network(), network()
    part.initialize_(own, seed=3, inputs=tiny.NO_IMAGES)
    XavierNormal().draw_(plain, seed=3)
    kept = [v for name, v in state.items() if name.startswith("features")]
    parameters = list(own.parameters())
    assert len(kept) == 16 and len(parameters) == 22
    for parameter, values in zip(parameters[:16], kept, strict=True):
        assert torch.equal(parameter, values)
    for mine, xaviers in zip(own.layers[8:], plain.layers[8:], strict=True):
        assert torch.equal(flat_parameters(mine), flat_parameters(xaviers))


def test_what_they_make_of_an_image_is_torchvisions(part, state):
    # Not importorskip: a plain import is just what fails beside a CPU-only torch.
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("needs torchvision")
    vgg = vision._imported("torchvision.models.vgg")
    theirs = vgg.make_layers(vgg.cfgs["A"])
    theirs.load_state_dict(
        {n.removeprefix("features."): v for n, v in state.items() if "features" in n}
    )
    own = network()
    part.initialize_(own, seed=0, inputs=tiny.NO_IMAGES)
    image = torch.randn(2, *COLOUR)
    with torch.no_grad():
        maps = image
        for layer in own.layers[:8]:
            maps = layer(maps)
        torch.testing.assert_close(maps, theirs(image))


def test_the_file_is_taken_from_a_path_a_folder_or_torchs_cache(
    part, content, monkeypatch, tmp_path
):
    assert weights_path() == tmp_path / "weights" / FILE
    elsewhere = tmp_path / "another.pth"
    monkeypatch.setenv("LAZYRICH_WEIGHTS", str(elsewhere))
    assert weights_path() == elsewhere
    elsewhere.write_bytes(content)
    part.require_ready(network())
    monkeypatch.delenv("LAZYRICH_WEIGHTS")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert weights_path() == tmp_path / "hub" / "checkpoints" / FILE
    with pytest.raises(DataError, match="checkpoints"):
        part.require_ready(network())
    weights_path().parent.mkdir(parents=True)
    weights_path().write_bytes(content)
    part.require_ready(network())


@pytest.mark.parametrize("error", [ImportError, OSError, RuntimeError])
def test_a_missing_file_is_one_sentence(offline, monkeypatch, error):
    def fail():
        raise error("nothing to be had")

    monkeypatch.setattr(vision, "models", fail)
    with pytest.raises(DataError) as raised:
        ImageNetVGG11().require_ready(network())
    said = str(raised.value)
    assert "\n" not in said and said.endswith(".")
    for word in (FILE, str(weights_path()), "LAZYRICH_WEIGHTS", "VGG11_Weights"):
        assert word in said


def published(url: str):
    """Return a `torchvision.models` whose VGG-11 lies at `url`."""
    weights = types.SimpleNamespace(IMAGENET1K_V1=types.SimpleNamespace(url=url))
    return types.SimpleNamespace(VGG11_Weights=weights)


def test_what_is_missing_is_downloaded_as_data_is(offline, content, monkeypatch):
    asked = []

    def download(url, path, hash_prefix, progress):
        asked.append((url, hash_prefix))
        if len(asked) == 1:
            raise OSError("no network")
        Path(path).write_bytes(content)

    sha256 = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setattr(imagenet, "SHA256", sha256)
    monkeypatch.setattr(vision, "models", lambda: published("file:///made/url"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    part = ImageNetVGG11(sha256=sha256)
    with pytest.raises(DataError, match="fetch it from file:///made/url and put"):
        part.require_ready(network())
    assert not weights_path().parent.exists(), "a folder for nothing"
    part.require_ready(network())
    imagenet._read.cache_clear()
    part.require_ready(network())  # it is there: nobody is asked
    assert asked == [("file:///made/url", sha256)] * 2


@pytest.mark.parametrize("damage", ["missing", "directory", "truncated", "altered"])
def test_damage_is_one_sentence_with_a_remedy(part, damage):
    DAMAGES[damage](weights_path())
    own = network()
    for ask in (
        part.require_ready,
        functools.partial(part.initialize_, seed=0, inputs=tiny.NO_IMAGES),
    ):
        with pytest.raises(DataError) as raised:
            ask(own)
        said = str(raised.value)
        assert "\n" not in said and said.endswith(".") and FILE in said
        assert "delete it and fetch it anew" in said or "put it there" in said


@pytest.mark.parametrize("form", [saved, pickle.dumps], ids=["torch", "pickle"])
def test_nothing_in_the_file_is_run(part, monkeypatch, tmp_path, form):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    content = form({"features.0.weight": Trap()})
    weights_path().write_bytes(content)
    with pytest.raises(DataError, match="is truncated or altered"):
        part.require_ready(network())
    part = publish(content, monkeypatch)  # even if the checksum is right
    with pytest.raises(pickle.UnpicklingError):
        part.require_ready(network())
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("model", "shape", "found"),
    [
        (VGG11(width=16), COLOUR, r"8 convolutions, \[\(16, 3, 3, 3\)\] at the bottom"),
        (VGG11(), (1, 16, 16), r"8 convolutions, \[\(64, 1, 3, 3\)\]"),
        (VGG5(), COLOUR, "10 convolutions"),
        (ResNet18(), COLOUR, "20 convolutions"),
        (ConvNet(width=64, depth=8), COLOUR, "8 convolutions"),
        (ReluNet(width=3, depth=1), COLOUR, "0 convolutions"),
    ],
)
def test_it_fits_one_network(part, model, shape, found):
    own = network(model, shape)
    words = rf"^model must be vgg11 of width 64 for images of 3 .*; got .{found}"
    with pytest.raises(ValueError, match=words):
        part.require_ready(own)
    with pytest.raises(ValueError, match=words):
        part.initialize_(own, seed=0, inputs=tiny.NO_IMAGES)
    part.require_ready(network().to("meta"))
    with pytest.raises(DataError, match=f"asks for weights with SHA-256 {SHA256}"):
        ImageNetVGG11().require_ready(network())
    assert isinstance(part, InitPart)


SMOKE = ["--budget", "smoke", "--train-size", "10", "--rhos", "0.5"]


def test_a_recipe_without_the_file_is_a_sentence_and_the_next_goes_on(
    offline, store, capsys
):
    assert main(["table-1-pretrained", *SMOKE]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("error: ImageNet's weights need") and store.ids() == []
    assert main(["table-1-pretrained", *tiny.TINY]) == 2
    out, err = capsys.readouterr()
    assert "figure-2 at smoke: 2 done now" in out and err.count("\n") == 1
    assert main(["table-1-pretrained", *SMOKE, "--dry-run"]) == 2
    assert capsys.readouterr().err.startswith("error: ImageNet's weights need")


@pytest.mark.parametrize("choice", [["--widths", "8"], ["--dataset", "digits"]])
def test_a_recipe_of_what_does_not_fit_is_a_sentence(part, capsys, choice):
    assert main(["table-1-pretrained", *SMOKE, *choice]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "must be vgg11 of width 64" in err


def test_table_1_is_trained_from_the_file(part, offline, store, state, monkeypatch):
    put(offline, "cifar10", cifar_contents(), monkeypatch)
    monkeypatch.setattr(vgg11_exhibits, "ImageNetVGG11", lambda: part)
    recipe = make_recipe("table-1-pretrained", "smoke", train_size=10)
    config = recipe.configs[0]
    assert tiny.finish(store, config, measures=recipe.measures).num_trained == 1
    record = store.read(config.run_id)
    assert record.status == "ok" and record.columns()["init"] == "imagenet_vgg11"
    initial, final = store.read_weights(config.run_id)
    first = state["features.0.weight"].flatten()
    assert torch.equal(initial[: len(first)], first)
    assert not torch.equal(final[: len(first)], first)
