"""A convolution of many channels on few pixels, as one product, against torch's."""

import torch
from torch import Tensor, nn

from lazyrich_helpers.models.convolution import Convolution
from tests.bench.sample import in_turns, seconds
from tests.bench.setting import Options

TITLE = "convolution: 3×3 on 2×2 pixels, 128 images; torch's time over ours"
PASSES = ("forward", "backward", "weights alone")


def rows(options: Options) -> list[dict[str, object]]:
    """Measure VGG-11's top convolutions at width 64; target: none below 1."""
    return [_row(options, 512 if not options.quick else 4)]


def _row(options: Options, channels: int) -> dict[str, object]:
    layers = {
        "torch": nn.Conv2d(channels, channels, 3, padding=1),
        "ours": Convolution(channels, channels, 3),
    }
    images = torch.randn(128 if not options.quick else 2, channels, 2, 2)
    images = images.to(memory_format=torch.channels_last)
    row: dict[str, object] = {"channels": channels}
    times: dict[str, object] = {}
    for name in PASSES:
        ways = {
            way: lambda layer=layer, name=name: _pass(name, layer, images)
            for way, layer in layers.items()
        }
        found = in_turns(ways, num=options.repetitions, warm_up=2)
        row[name] = found["torch"] / found["ours"]
        times |= {f"{name}, {way}, ms": 1e3 * found[way] for way in ways}
    return row | times


def _pass(name: str, layer: nn.Module, images: Tensor) -> float:
    """Return the seconds of one pass: with the input's gradient unless `weights`."""
    if name == "forward":
        with torch.no_grad():
            return seconds(lambda: layer(images))
    given = images.clone().requires_grad_(name == "backward")
    outputs = layer(given)
    upstream = torch.ones_like(outputs)
    layer.zero_grad(set_to_none=True)
    return seconds(lambda: outputs.backward(upstream))
