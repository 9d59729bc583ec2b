"""A step on many devices, on paper: how long it computes, and how long it sends.

No such cluster was used. Every number follows from the assumptions in `Cluster`, bytes
as in `sharded.wire` and operations as in `measures.costs`.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from lazyrich_helpers.measures.costs import backward_flops, forward_flops
from lazyrich_helpers.models.convnets import VGG11
from lazyrich_helpers.models.flops import Flops, layer_flops
from lazyrich_helpers.models.network import ImageShape, Network, blueprint, relu_net
from lazyrich_helpers.papers.sharded.wire import dp_bytes, fsdp_bytes

DEVICES = (8, 16, 32, 64, 128, 256, 512, 1024)
BANDWIDTHS = (1.25e9, 3.125e9, 12.5e9, 25e9, 50e9, 400e9)
"""Bytes a second: Ethernet of 10 and 25 gigabits, InfiniBand of 100, 200 and 400, and
links within a machine."""
RHOS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
WIDEST = 100_000
"""Units of a hidden layer: the paper's most."""
STATE_BYTES = 16
"""Of a parameter with Adam, in fp32: itself, its gradient and two moments."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What is assumed of the devices and of what joins them."""

    rate: float = 50e12
    """Operations a second that a device reaches."""
    bandwidth: float = 25e9
    """Bytes a second that a device sends and, at the same time, receives."""
    latency: float = 10e-6
    """Seconds of a message; a collective takes log₂ n of them each way."""
    memory: float = 80e9
    """Bytes of a device."""
    batch_size: int = 128
    """Images a step of each device: more devices see more images."""


@dataclass(frozen=True, kw_only=True)
class OnPaper:
    """A network as the model sees it."""

    label: str
    sizes: Sequence[int]
    """Parameters of each layer, the lowest first."""
    flops: Flops
    """From `layer_flops`."""

    def layout(self, cluster: Cluster) -> str:
        """Return `dp` where a device has room for all its state, else `fsdp`."""
        return "dp" if STATE_BYTES * sum(self.sizes) <= cluster.memory else "fsdp"


def on_paper(label: str, network: Network, image_shape: ImageShape) -> OnPaper:
    """Return a network, on torch's `meta` device, as the model sees it."""
    sizes = [sum(p.numel() for p in layer.parameters()) for layer in network.layers]
    return OnPaper(label=label, sizes=sizes, flops=layer_flops(network, image_shape))


def networks() -> list[OnPaper]:
    """Return the paper's widest networks, and one that outgrows a device."""
    mnist, cifar10 = (1, 28, 28), (3, 32, 32)
    found = [on_paper("VGG-11", blueprint(VGG11(), cifar10, 10), cifar10)]
    for depth in (1, 2):
        with torch.device("meta"):  # the last has 40 GB of parameters
            net = relu_net(WIDEST, depth, math.prod(mnist), 10)
        found.append(on_paper(f"w = {WIDEST:,}, d = {depth}", net, mnist))
    return found


def seconds_of_step(
    net: OnPaper, cluster: Cluster, num: int, trainable: Collection[int]
) -> tuple[float, float]:
    """Return the seconds of a step in which a device computes, and in which it sends.

    Nothing overlaps. One device alone sends nothing. Of sharded parameters torch
    fetches a layer more, ahead of time, than the backward pass needs.
    """
    images = cluster.batch_size
    flops = forward_flops(net.flops) + backward_flops(net.flops, trainable)
    size = dp_bytes(net.sizes, trainable, num)
    collectives = 2
    if net.layout(cluster) == "fsdp":
        size = fsdp_bytes(net.sizes, trainable, num)
        fetched = len(net.sizes) - max(0, min(trainable) - 1)
        collectives = len(net.sizes) + fetched + len(trainable)
    waiting = collectives * math.log2(num) * cluster.latency
    return images * flops / cluster.rate, size / cluster.bandwidth + waiting


def mean_seconds(
    net: OnPaper, cluster: Cluster, num: int, rho: float
) -> tuple[float, float]:
    """Return `seconds_of_step` of top 1 all bottoms, on average over its draws."""
    layers = len(net.sizes)
    full = seconds_of_step(net, cluster, num, range(layers))
    top = seconds_of_step(net, cluster, num, [layers - 1])
    computes, sends = rho * np.array(full) + (1 - rho) * np.array(top)
    return float(computes), float(sends)


def model_table(
    rhos: Sequence[float] = (0.1, 1.0),
    bandwidths: Sequence[float] = (Cluster.bandwidth,),
) -> pd.DataFrame:
    """Return a row for each network, bandwidth, ρ and number of devices.

    `speedup` is in images a second, over full training by one device that had room.
    """
    rows = []
    for net, bandwidth in itertools.product(networks(), bandwidths):
        cluster = Cluster(bandwidth=bandwidth)
        alone, _ = seconds_of_step(net, cluster, 1, range(len(net.sizes)))
        about = (net.label, net.layout(cluster), bandwidth)
        for rho, num in itertools.product(rhos, DEVICES):
            computes, sends = mean_seconds(net, cluster, num, rho)
            faster = num * alone / (computes + sends)
            rows.append((*about, rho, num, computes, sends, faster))
    names = ["network", "layout", "bandwidth", "rho", "devices", "computes", "sends"]
    return pd.DataFrame(rows, columns=[*names, "speedup"])


def assumptions() -> pd.DataFrame:
    """Return what the model assumes, for a page."""
    cluster = Cluster()
    told: Mapping[str, Any] = {
        "operations a device reaches": f"{cluster.rate / 1e12:.0f} TFLOP/s",
        "bandwidth of a device, each way": f"{cluster.bandwidth / 1e9:.0f} GB/s",
        "latency of a message": f"{cluster.latency * 1e6:.0f} µs",
        "memory of a device": f"{cluster.memory / 1e9:.0f} GB",
        "state of a parameter (Adam, fp32)": f"{STATE_BYTES} bytes",
        "images a step of each device": f"{cluster.batch_size}",
        "collectives": "rings for bytes, trees for latency; none overlaps arithmetic",
        "layout": "dp where a device has room for all state, else fsdp",
    }
    return pd.DataFrame(told.items(), columns=["what", "assumed"])
