"""Deep ReLU networks from each start: their variances, and training many as one."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import require_one_of
from lazyrich_helpers.data.datasets import Dataset
from lazyrich_helpers.models.initialization import InitPart, XavierNormal
from lazyrich_helpers.models.network import Network, ReluNet
from lazyrich_helpers.models.variance_preserving import (
    HeNormal,
    LayerSequential,
    SamplePreserving,
    pre_activations,
)
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.objectives import cross_entropies
from lazyrich_helpers.training.stack import Stack, batches_of

INITS: dict[str, InitPart] = {
    "he": HeNormal(),
    "layer": LayerSequential(statistics="layer"),
    "sample": LayerSequential(statistics="sample"),
    "closed_form": SamplePreserving(),
}
"""Those whose variances are followed; Xavier's differ from He's by their scale."""
TRAINED = INITS | {"xavier": XavierNormal()}
BATCH_NORM = "batch_norm"
"""He's start, and normalization by the batch's statistics at every step."""
STARTS = (*TRAINED, BATCH_NORM)
NAMES = {
    "he": "He",
    "layer": "layer statistics",
    "sample": "sample statistics",
    "closed_form": "closed form",
    "xavier": "Xavier",
    BATCH_NORM: "batch norm",
}
"""Start → its name on a page."""


def white_noise(num: int, size: int, seed: int) -> Tensor:
    """Return independent standard normal inputs (num, 1, 1, size)."""
    stream = generator("white-noise", seed, num, size)
    return torch.randn(num, 1, 1, size, generator=stream)


def network_from(
    start: str, width: int, depth: int, seed: int, inputs: Tensor, num_classes: int = 10
) -> Network:
    """Return a started ReLU network.

    Args:
        start: One of `STARTS`.
        width: Units of a hidden layer.
        depth: Hidden layers.
        seed: Draws the weights.
        inputs: Shape (n, channels, h, w), for a start that depends on the data.
        num_classes: Units of the top layer.

    Raises:
        ValueError: If there is no such start.
    """
    require_one_of(STARTS, "start", start)
    shape = (inputs.shape[1], inputs.shape[2], inputs.shape[3])
    network = ReluNet(width=width, depth=depth).build(shape, num_classes)
    TRAINED.get(start, HeNormal()).initialize_(network, seed, inputs)
    return with_batch_norm(network) if start == BATCH_NORM else network


def with_batch_norm(network: Network) -> Network:
    """Return the network with batch norm after every linear layer but the top one.

    It keeps no running statistics: what it is given is always normalized by itself.
    """
    *hidden, top = network.layers
    layers: list[nn.Module] = []
    for layer in hidden:
        assert isinstance(layer, nn.Sequential)
        *first, linear, relu = layer
        assert isinstance(linear, nn.Linear)
        norm = nn.BatchNorm1d(linear.out_features, track_running_stats=False)
        layers.append(nn.Sequential(*first, linear, norm, relu))
    return Network([*layers, top])


def variances(made: Tensor) -> tuple[float, float]:
    """Return total and sample variance of pre-activations (units, samples).

    Both are unbiased: the squares of sample means are what they leave between them.
    """
    made = made.double()
    return made.square().mean().item(), made.var(dim=1).mean().item()


def variances_by_layer(
    network: Network, inputs: Tensor
) -> Iterator[tuple[int, float, float]]:
    """Yield each hidden layer, from 1, with its total and its sample variance."""
    for place, (_, made) in enumerate(pre_activations(network, inputs), start=1):
        yield place, *variances(made)


def gradient_squares(network: Network, inputs: Tensor, seed: int) -> list[float]:
    """Return the mean square of a gradient in each hidden layer, the highest's as 1.

    It is that of a random linear function of the highest layer's pre-activations, with
    respect to each layer's pre-activations; `network` is a `relu_net`.
    """
    made: list[Tensor] = []
    below = inputs
    for layer in list(network.layers)[:-1]:
        assert isinstance(layer, nn.Sequential)
        *linear, relu = layer
        below = nn.Sequential(*linear)(below)
        made.append(below)
        below = relu(below)
    stream = generator("gradient", seed)
    weights = torch.randn(made[-1].shape, generator=stream).to(inputs.device)
    squares = [
        gradient.double().square().mean().item()
        for gradient in torch.autograd.grad(made[-1], made, weights)
    ]
    return [square / squares[-1] for square in squares]


def train_together(
    networks: Sequence[Network],
    data: Dataset,
    *,
    lrs: Sequence[float],
    seeds: Sequence[int],
    num_steps: int,
    batch_size: int,
) -> tuple[Tensor, list[int]]:
    """Train networks as one, each by SGD at its own learning rate.

    Args:
        networks: Alike but for their parameters; they are left as they are.
        data: Of the training; batches come in the same order for equal seeds.
        lrs: Learning rate of each network.
        seeds: Of each network.
        num_steps: Steps of SGD, without momentum.
        batch_size: Images of a step.

    Returns:
        Loss of each batch (num_steps, num), in nats, not finite once a training has
        diverged; and how many test images each classifies correctly at the end.
    """
    stack = Stack.of(networks)
    parameters = list(stack.parameters.values())
    for values in parameters:
        values.requires_grad_()
    rates = torch.tensor(lrs, device=data.device)
    steps = [rates.reshape(-1, *[1] * (p.dim() - 1)) for p in parameters]
    batches, losses = batches_of("order", seeds, len(data.train), batch_size), []
    for step in range(num_steps):
        batch = batches(step).to(data.device)
        logits = stack(data.train.images[batch])
        loss = cross_entropies(logits, data.train.labels[batch])
        gradients = torch.autograd.grad(loss.sum(), parameters)
        with torch.no_grad():
            for p, lr, gradient in zip(parameters, steps, gradients, strict=True):
                p -= lr * gradient
        losses.append(loss.detach())
    return torch.stack(losses), stack.count_correct(data.test, "highest")


def steps_to(losses: Tensor, target: float, window: int) -> list[float]:
    """Return how many steps each training took to a loss, NaN where it never did.

    Args:
        losses: Shape (num_steps, num).
        target: Of the mean over the last `window` steps.
        window: Steps.
    """
    means = losses.unfold(0, window, 1).mean(-1)  # (num_steps - window + 1, num)
    below = means <= target
    first = below.int().argmax(0) + window
    return [
        float(step) if reached else math.nan
        for step, reached in zip(first.tolist(), below.any(0).tolist(), strict=True)
    ]
