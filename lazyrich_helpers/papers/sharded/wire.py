"""What processes send each other in a step: counted, and by formula.

By a ring, each of n processes sends (n - 1) / n of a collective's payload, the whole
tensor, and for a sum twice that: once to add it up, once to hand it round.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

FP32 = 4
"""Bytes of a number."""
SPACES = ("c10d", "_c10d_functional")
"""Where torch keeps its collectives: of DDP and FSDP2, and of DTensor."""
KINDS = {"allreduce": "all-reduce", "reducescatter": "reduce-scatter"}
KINDS |= {"allgather": "all-gather", "alltoall": "all-to-all"}


class Wire(TorchDispatchMode):
    """Inside, collectives are counted by kind, with their payload in bytes.

    As torch's own `CommDebugMode`, which counts calls alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.payload: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = _kind(func)
        if kind:
            tensors = [t for t in tree_leaves((args, result)) if isinstance(t, Tensor)]
            self.calls[kind] += 1
            self.payload[kind] += max(t.numel() * t.element_size() for t in tensors)
        return result

    def sent(self, num: int) -> float:
        """Return the bytes that one of `num` processes sends, by a ring."""
        passes = {kind: 2 if kind == "all-reduce" else 1 for kind in self.payload}
        payload = sum(passes[kind] * size for kind, size in self.payload.items())
        return payload * (num - 1) / num


def _kind(func: Any) -> str:
    """Return what a collective is called; nothing for another operation."""
    if func.namespace not in SPACES:
        return ""
    name = func._schema.name.split("::")[1].replace("_", "")
    return next((kind for word, kind in KINDS.items() if name.startswith(word)), "")


def dp_bytes(sizes: Sequence[int], trainable: Collection[int], num: int) -> float:
    r"""Return the bytes that a process sends in a step of data parallel training.

    $2 \frac{n-1}{n} \cdot 4 \sum_{l \in S} p_l$: gradients of the trainable layers S,
    added up and handed round.

    Args:
        sizes: Parameters of each layer, p, the lowest first.
        trainable: Layers that the step updates.
        num: Processes, n.
    """
    return 2 * (num - 1) / num * FP32 * sum(sizes[layer] for layer in trainable)


def fsdp_bytes(sizes: Sequence[int], trainable: Collection[int], num: int) -> float:
    r"""Return the bytes that a process sends in a step with sharded parameters.

    $\frac{n-1}{n} \cdot 4 (\sum_l p_l + \sum_{l \ge b-1} p_l + \sum_{l \in S} p_l)$:
    parameters are gathered for the forward pass, again for the backward pass
    down to the lowest trainable layer b and the one below, which FSDP2 fetches ahead,
    and gradients of the trainable layers are added up and scattered.
    """
    gathered = sum(sizes) + sum(sizes[max(0, min(trainable) - 1) :])
    scattered = sum(sizes[layer] for layer in trainable)
    return (num - 1) / num * FP32 * (gathered + scattered)


def tp_bytes(
    features: Sequence[int], trainable: Collection[int], num: int, batch: int
) -> float:
    r"""Return the bytes that a process sends in a step of tensor parallel training.

    $2 \frac{n-1}{n} \cdot 4 B \, (\sum o + \sum i)$: what a pair of layers makes of
    B images, o numbers each, is added up forward; backward the gradient of what the
    pair reads, i numbers each, if a layer below it is trainable.

    Args:
        features: What each layer reads, and at last what the top makes; the lowest
            first. Layers are split in pairs, from the lowest on.
        trainable: Layers that the step updates.
        num: Processes, n.
        batch: Images, B.
    """
    pairs = range(0, len(features) - 2, 2)
    forward = sum(features[pair + 2] for pair in pairs)
    backward = sum(features[pair] for pair in pairs if min(trainable) < pair)
    return 2 * (num - 1) / num * FP32 * batch * (forward + backward)
