"""Checks of shared networks on GPUs, over NCCL: to be run where there are some.

    torchrun --standalone --nproc-per-node=gpu -m tests.runner.sharded_gpus

One GPU shows that NCCL begins, computes and ends: nothing of what processes send. Two
or more show all of it but a 2-D mesh, which needs an even number. On two machines it is
torchrun's `--nnodes=2 --rdzv-backend=c10d --rdzv-endpoint=HOST:29500`. A killed
process: `DIES_AFTER=3 torchrun … -m tests.runner.sharded_run train figure-2
--budget smoke --widths 64 --seeds 0 --num-epochs 6 --shard fsdp`, which has to end with
one sentence within a minute, and the same without `DIES_AFTER`, which has to go on.

The word `cpu` at the end has it try itself, over gloo.
"""

import sys
from collections.abc import Iterator

import torch
from torch import distributed

from lazyrich_helpers.papers.sharded.claims import CurveSettings
from lazyrich_helpers.papers.sharded.halo import tiled_convolution
from lazyrich_helpers.papers.sharded.nets import (
    FP64,
    config_of,
    data_of,
    loss_curve,
    started,
)
from lazyrich_helpers.runner.processes import is_first, join, leave
from lazyrich_helpers.training.layouts import LAYOUTS, lay_out
from tests.runner.sharded_processes import convolution_of

SETTINGS = CurveSettings(networks=(), num_epochs=2, width=64, train_size=500)
LINE = {"": 1e-5, f" {FP64}": 1e-10}
"""Nats, by the end of a network's name."""


def main(device: str = "cuda") -> None:
    """Say what each check found; the exit status is 1 if one failed."""
    device = join(device)
    num, where = distributed.get_world_size(), device
    if device != "cpu":
        where = f"{torch.cuda.get_device_name()}, NCCL {torch.cuda.nccl.version()}"
    say(f"{num} processes; torch {torch.__version__}, {where}")
    if num == 1:
        say("One process sends nothing: this shows that it begins and ends, no more.")
    wrong = 0
    for name, found, line in (*curves(device, num), *strips(device, num)):
        wrong += found > line
        word = "ok" if found <= line else "WRONG"
        say(f"{word:5} {name}: {found:.1e} from one process's (line {line:.0e})")
    say(f"{wrong} checks failed.")
    leave(min(wrong, 1))


def say(text: str) -> None:
    """Print it, once."""
    if is_first():
        print(text, flush=True)


def curves(device: str, num: int) -> Iterator[tuple[str, float, float]]:
    """Yield each layout's largest difference in loss, and what it may be."""
    for end, line in LINE.items():
        for name in ("relu_net", "vgg11"):
            config = config_of(name, SETTINGS)
            dtype = torch.float64 if end else torch.float32
            data = data_of(config, dtype, device)
            alone = loss_curve(started(config, data).to(device), config, data)
            for layout in LAYOUTS:
                if layout == "2d" and num % 2:
                    say("      2d needs an even number of processes: not checked")
                    continue
                network = started(config, data)
                sharding = lay_out(network, layout, device)
                several = loss_curve(network, config, data, sharding)
                pairs = zip(several, alone, strict=True)
                apart = max(abs(one - other) for one, other in pairs)
                yield f"{name}{end}, {layout}", apart, line


def strips(device: str, num: int) -> Iterator[tuple[str, float, float]]:
    """Yield the same of an image in strips: its convolution, and the gradient."""
    if num not in (1, 2, 4):
        say("      strips are of 8 rows: not checked with so many processes")
        return
    layer, maps, above = (part.to(device) for part in convolution_of(3))
    whole = maps.clone().requires_grad_()
    right = layer(whole)
    right.backward(above)
    rank = distributed.get_rank()
    mine = maps.chunk(num, dim=2)[rank].clone().requires_grad_()
    outputs = tiled_convolution(layer, mine)
    outputs.backward(above.chunk(num, dim=2)[rank])
    pairs = {"outputs": (outputs, right), "gradients": (mine.grad, whole.grad)}
    for name, (strip, values) in pairs.items():
        apart = (strip - values.chunk(num, dim=2)[rank]).abs().max().detach()
        distributed.all_reduce(apart, distributed.ReduceOp.MAX)
        yield f"strips, {name}", apart.item(), 1e-12


if __name__ == "__main__":
    main(*sys.argv[1:])
