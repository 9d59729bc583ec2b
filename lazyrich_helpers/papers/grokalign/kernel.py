r"""The tangent kernel moves the centroid: Theorem 9 of Walker et al. (2025), measured.

For one output, binary cross-entropy and full-batch steps of size $\eta$,

$\Delta \langle x, \mu_x \rangle \approx
\frac{\eta}{m} \sum_p \Theta(x, x_p) (y_p - \sigma(f(x_p)))$,

exact for small steps, with the tangent kernel $\Theta$. Without biases
$\langle x, \mu_x \rangle$ is the output itself.
"""

import copy
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lazyrich_helpers.papers.grokalign.input_jacobian import centroids
from lazyrich_helpers.papers.grokalign.measures import load_images
from lazyrich_helpers.papers.grokalign.nets import drawn_weights
from lazyrich_helpers.reinit.tangent_kernel import tangent_kernel


@dataclass(frozen=True, kw_only=True)
class KernelSettings:
    """The paper: MNIST's 0 and 1, learning rate 0.01, 4,000 steps."""

    lrs: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
    """η of the step that is compared."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    dataset: str = "digits"
    train_size: int = 300
    """Images of all classes; those of 0 and 1 are used."""
    width: int = 64
    num_test: int = 20
    moments: tuple[int, ...] = (0, 20, 200)
    """Steps of 0.1 after which the step is compared."""


def kernel_steps(settings: KernelSettings, lr: float, device: str) -> pd.DataFrame:
    """Return the relative error of the predicted change, by seed and moment."""
    data = load_images(settings.dataset, settings.train_size, device)
    train = data.train[data.train_labels < 2].double()
    labels = data.train_labels[data.train_labels < 2].double()
    test = data.test[data.test_labels < 2][: settings.num_test].double()
    rows = []
    for seed in settings.seeds:
        network = binary_network(train.shape[1], settings.width, seed).to(device)
        for step in range(max(settings.moments) + 1):
            if step in settings.moments:
                error, before = predicted_error(network, train, labels, test, lr)
                rows.append((seed, step, error, before))
            descend_(network, train, labels, 0.1)
    return pd.DataFrame(rows, columns=["seed", "step", "error", "loss"])


def binary_network(num_inputs: int, width: int, seed: int) -> nn.Sequential:
    """Return a network of one hidden layer and one output, without biases, fp64."""
    first, second = (w[0] for w in drawn_weights([num_inputs, width, 1], [seed]))
    layers = [
        nn.Linear(num_inputs, width, bias=False),
        nn.ReLU(),
        nn.Linear(width, 1, bias=False),
    ]
    network = nn.Sequential(*layers).double()
    with torch.no_grad():
        for p, w in zip(network.parameters(), (first, second), strict=True):
            p.copy_(w)
    return network


def descend_(network: nn.Module, inputs: Tensor, labels: Tensor, lr: float) -> float:
    """Take a step of gradient descent on binary cross-entropy; return the loss."""
    loss = F.binary_cross_entropy_with_logits(network(inputs)[:, 0], labels)
    gradients = torch.autograd.grad(loss, [*network.parameters()])
    with torch.no_grad():
        for p, gradient in zip(network.parameters(), gradients, strict=True):
            p.sub_(gradient, alpha=lr)
    return loss.item()


def along_input(network: nn.Module, inputs: Tensor) -> Tensor:
    r"""Return $\langle x, \mu_x \rangle$ (n,) at inputs (n, d)."""
    inputs = inputs.detach().requires_grad_()
    return (centroids(network(inputs), inputs) * inputs).sum(-1).detach()


def predicted_error(
    network: nn.Module, train: Tensor, labels: Tensor, test: Tensor, lr: float
) -> tuple[float, float]:
    r"""Return how wrong the kernel is of a step, relative to the change, and the loss.

    $\|\Delta - \hat\Delta\| / \|\Delta\|$ over test inputs; the network is not changed.
    """
    kernel = tangent_kernel(network, torch.cat([test, train]), lambda f, x: f(x))
    with torch.no_grad():
        left = labels - network(train)[:, 0].sigmoid()
    between = kernel[: len(test), len(test) :].to(left)  # (test, train)
    predicted = lr / len(train) * between @ left
    moved = copy.deepcopy(network)
    loss = descend_(moved, train, labels, lr)
    change = along_input(moved, test) - along_input(network, test)
    return ((change - predicted).norm() / change.norm()).item(), loss
