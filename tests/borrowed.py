"""A model, and a loop around it, as somebody else has them."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.random_streams import generator

INPUTS = torch.randn(12, 1, 6, 6, generator=generator("inputs"))
LABELS = torch.arange(12) % 3


class Small(nn.Module):
    """A model as a user has it: named modules, an order only they know."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)  # the top, defined first
        self.norm = nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(1, 4, 3)
        self.middle = nn.Sequential(nn.Linear(64, 12), nn.Dropout(0.2), nn.ReLU())
        with torch.no_grad():
            for p in self.parameters():
                p.uniform_(-0.3, 0.3, generator=generator("small", p.numel()))

    def forward(self, inputs):
        maps = self.norm(self.conv(inputs)).relu()
        return self.head(self.middle(maps.flatten(1)))

    @property
    def layers(self):
        return [[self.conv, self.norm], self.middle, self.head]


def steps(model, optimizer, num=3, set_to_none=True):
    """A loop that knows nothing of frozen layers."""
    model.train()
    loss = torch.tensor(0.0)
    for _ in range(num):
        optimizer.zero_grad(set_to_none=set_to_none)
        loss = F.cross_entropy(model(INPUTS), LABELS)
        loss.backward()
        optimizer.step()
    return loss.item()


def momentum_sgd(parameters):
    return torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.1)


def made(schedule, make=momentum_sgd):
    """Return a model, its optimizer, and both under a schedule."""
    model = Small()
    optimizer = make(model.parameters())
    return model, optimizer, LayerwiseSparse(model.layers, optimizer, schedule)


def parts(layer):
    return layer if isinstance(layer, list) else [layer]


def groups(layers):
    """Return a parameter group for each layer."""
    return [
        {
            "params": [
                p
                for part in parts(layer)
                for p in (
                    [part] if isinstance(part, nn.Parameter) else part.parameters()
                )
            ]
        }
        for layer in layers
    ]


def states(model):
    """Return each layer's parameters and buffers, copied."""
    return [
        [copy.deepcopy(module.state_dict()) for module in parts(layer)]
        for layer in model.layers
    ]


def moved(before, after):
    """Return the layers of which anything moved, buffers included."""
    return {
        index
        for index, (old, new) in enumerate(zip(before, after, strict=True))
        for one, two in zip(old, new, strict=True)
        if any(not torch.equal(one[name], two[name]) for name in one)
    }
