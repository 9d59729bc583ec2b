"""Networks of one shape, computed as one: each parameter is stacked over networks.

`torch.func.vmap` of the whole network takes 1.3 to 1.9 times as long per step (5 and 20
networks of 10 and 100 units, one core), so that it only has what is no linear layer.
"""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from lazyrich_helpers.data.datasets import Split
from lazyrich_helpers.models.network import Network
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.training.arithmetic import arithmetic
from lazyrich_helpers.training.loop import num_correct


class Stack:
    """`num` networks that differ in their parameters only.

    Args:
        network: Says what is computed; its own parameters are not read.
        parameters: Name → that parameter of every network, (num, *shape).

    Raises:
        ValueError: If the network has buffers, such as batch norm's statistics: they
            would be shared.
    """

    def __init__(self, network: Network, parameters: dict[str, Tensor]) -> None:
        buffers = [name for name, _ in network.named_buffers()]
        if buffers:
            raise ValueError(
                "networks with buffers are trained and measured one by one; got "
                f"{', '.join(buffers)}."
            )
        self.parameters = parameters
        self.num = len(next(iter(parameters.values())))
        self._parts = [
            (module, {key: parameters[prefix + key] for key, _ in own})
            for prefix, module in _parts(network.layers, "layers.")
            for own in [list(module.named_parameters())]
        ]

    @classmethod
    def of(cls, networks: Sequence[Network]) -> "Stack":
        """Return a stack of copies of the networks' parameters."""
        parameters, _ = stack_module_state(list(networks))
        return cls(networks[0], {name: p.detach() for name, p in parameters.items()})

    @classmethod
    def at(cls, network: Network, vectors: Tensor) -> "Stack":
        """Return a stack of `network` at all parameters (num, num_parameters)."""
        named = list(network.named_parameters())
        parts = vectors.split([p.numel() for _, p in named], dim=1)
        return cls(
            network,
            {
                name: part.unflatten(1, p.shape)
                for (name, p), part in zip(named, parts, strict=True)
            },
        )

    def __call__(self, inputs: Tensor, *, shared: bool = False) -> Tensor:
        """Return logits (num, batch, classes).

        Args:
            inputs: Shape (num, batch, ...), or (batch, ...) where all networks see the
                same.
            shared: Whether they do.
        """
        for module, own in self._parts:
            if type(module) is nn.ReLU or (shared and not own):
                inputs = module(inputs)  # vmap's own work would take longer
                continue
            if type(module) is nn.Linear:
                linear = _shared_linear if shared else _linear
                inputs = linear(inputs, own["weight"], own.get("bias"))
            else:
                call = functools.partial(functional_call, module)
                inputs = vmap(call, (0, None if shared else 0))(own, inputs)
            shared = False
        return inputs

    @torch.no_grad()
    def count_correct(self, split: Split, precision: str) -> list[int]:
        """Return how many images of `split` each network classifies correctly."""
        outputs = functools.partial(self, shared=True)
        with arithmetic(precision, split.labels.device):
            return num_correct(outputs, split).tolist()


def orders_of(name: str, seeds: Sequence[int], epoch: int, num: int) -> Tensor:
    """Return the order in which each network sees `num` examples (len(seeds), num).

    Networks of one seed see the same; `name` is that of the random stream.
    """
    drawn = {
        seed: torch.randperm(num, generator=generator(name, seed, epoch))
        for seed in {*seeds}
    }
    return torch.stack([drawn[seed] for seed in seeds])


def batches_of(
    name: str, seeds: Sequence[int], num: int, batch_size: int
) -> Callable[[int], Tensor]:
    """Return what tells, of a step, the examples of each network (len(seeds), batch).

    Their order is that of `orders_of`. What is left of an epoch's examples beyond whole
    batches is not used.
    """
    orders = functools.lru_cache(maxsize=1)(
        lambda epoch: orders_of(name, seeds, epoch, num)
    )

    def batch(step: int) -> Tensor:
        epoch, place = divmod(step, num // batch_size)
        return orders(epoch)[:, place * batch_size : (place + 1) * batch_size]

    return batch


def share_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share that each network classifies correctly (num,), in fp64.

    Of logits (num, batch, classes); labels are (batch,), of all, or (num, batch).
    """
    return (logits.argmax(-1) == labels).double().mean(-1)


def _parts(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    """Return what runs in order, sequences taken apart, with its parameters' prefix."""
    if type(module) not in (nn.Sequential, nn.ModuleList):
        return [(prefix, module)]
    children = module.named_children()
    return [
        part for name, child in children for part in _parts(child, f"{prefix}{name}.")
    ]


def _linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return (num, batch, fan_out) for inputs (num, batch, fan_in)."""
    # Weight first: its gradient then comes in the weight's own layout, in 2/3 of the
    # time of vmap's, and needs no copy.
    columns = inputs.transpose(1, 2)  # (num, fan_in, batch)
    if bias is None:
        return torch.bmm(weight, columns).transpose(1, 2)
    return torch.baddbmm(bias[:, :, None], weight, columns).transpose(1, 2)


def _shared_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return (num, batch, fan_out) for inputs (batch, fan_in)."""
    # One wide product: 2.5 times as fast as a stack of ten units, 1.1 of a hundred.
    outputs = weight.flatten(0, 1) @ inputs.T  # (num * fan_out, batch)
    outputs = outputs.unflatten(0, weight.shape[:2])
    if bias is not None:
        outputs = outputs + bias[:, :, None]
    return outputs.transpose(1, 2)
