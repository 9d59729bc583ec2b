"""What a user would write: a DataLoader, default Adam, fp32, one network at a time."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lazyrich_helpers.data.datasets import Dataset, Split


def train(
    network: nn.Module, data: Dataset, *, lr: float, num_epochs: int
) -> Iterator[float]:
    """Train in place; yield each epoch's seconds."""
    examples = TensorDataset(data.train.images, data.train.labels)
    loader = DataLoader(examples, batch_size=128, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    for _ in range(num_epochs):
        start = time.perf_counter()
        network.train()
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield time.perf_counter() - start


@torch.no_grad()
def accuracy(network: nn.Module, split: Split) -> float:
    """Return the share of images classified correctly, a thousand at a time."""
    network.eval()
    batches = zip(split.images.split(1000), split.labels.split(1000), strict=True)
    right = sum(int((network(x).argmax(1) == y).sum()) for x, y in batches)
    return right / len(split)


def curves(
    network: nn.Module, initial: Tensor, data: Dataset, fractions: tuple[float, ...]
) -> list[float]:
    """Return both re-initialization curves, each point set up from scratch."""
    final = nn.utils.parameters_to_vector(network.parameters()).detach()
    order = (final - initial).abs().argsort(descending=True)
    found = []
    for old, new in ((final, initial), (initial, final)):
        for fraction in fractions:
            vector = old.clone()
            first = order[: round(fraction * len(order))]
            vector[first] = new[first]
            nn.utils.vector_to_parameters(vector, network.parameters())
            found.append(accuracy(network, data.test))
    return found


def run(
    network: nn.Module,
    data: Dataset,
    *,
    lr: float,
    num_epochs: int,
    eval_every: int,
    fractions: tuple[float, ...],
) -> None:
    """Train and measure as a record of `figure-2` is."""
    initial = nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    for epoch, _ in enumerate(train(network, data, lr=lr, num_epochs=num_epochs), 1):
        if epoch % eval_every == 0:
            accuracy(network, data.test)
    for split in (data.train, data.held_out, data.test):
        accuracy(network, split)
    curves(network, initial, data, fractions)
