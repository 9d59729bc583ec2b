"""Trains a model in two processes: `python -m tests.two_processes RANK FOLDER`."""

import os
import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn import functional as F

from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.schedules import RandomUniform, TopKAllBottoms
from lazyrich_helpers.random_streams import generator

KINDS = ("ddp", "fsdp", "fsdp whole")
SCHEDULES = {
    "epoch": TopKAllBottoms(k=2, rho=0.5),
    "step": RandomUniform(draw="step"),
}


def trained(kind: str, unit: str, rank: int, num: int) -> dict[str, torch.Tensor]:
    """Return the parameters after a few epochs in which `num` processes share batches.

    Args:
        kind: `alone`, or one of `KINDS`; `fsdp whole` shards no layer by itself.
        unit: What a context stands around, `epoch` or `step`.
        rank: Which of the processes this is.
        num: How many there are.
    """
    torch.manual_seed(0)
    blocks = [
        nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU()) for _ in range(3)
    ]
    model = nn.Sequential(*blocks, nn.Linear(8, 3))
    layers = list(model)
    run = model
    if kind == "ddp":
        run = nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
    if kind.startswith("fsdp"):
        from torch.distributed.fsdp import fully_shard

        for layer in layers if kind == "fsdp" else ():
            fully_shard(layer)
        fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
    sparse = LayerwiseSparse(layers, optimizer, SCHEDULES[unit])
    inputs = torch.randn(4, 12, 8, generator=generator("two processes"))
    labels = torch.arange(12) % 3

    def one_step(batch):
        optimizer.zero_grad()
        mine = slice(rank, None, num)
        F.cross_entropy(run(batch[mine]), labels[mine]).backward()
        optimizer.step()

    for epoch in range(6):
        if unit == "epoch":
            with sparse.epoch(epoch):
                for batch in inputs:
                    one_step(batch)
        else:
            for step, batch in enumerate(inputs):
                with sparse.step(epoch, step):
                    one_step(batch)
        with torch.no_grad():
            run(inputs[0])  # a look at the loss between two epochs
        if kind == "fsdp whole":  # its parameters stay whole until a backward pass
            assert "call the model's reshard() first" in refusal(sparse)
            run.reshard()
    assert len(set(sparse.counts.values())) > 1
    parameters = dict(model.named_parameters())
    return {name: getattr(p, "full_tensor", lambda p=p: p)().detach()
            for name, p in parameters.items()}  # fmt: skip


def refusal(sparse: LayerwiseSparse) -> str:
    """Return why it does not begin."""
    try:
        sparse.begin(0, 0)
    except ValueError as error:
        return str(error)
    return ""


def main(rank: str, folder: str) -> None:
    """Train as one of two processes; the first leaves all parameters in `folder`."""
    if sys.platform == "linux":  # no other machine is to be found
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=int(rank), world_size=2
    )
    found = {
        (kind, unit): trained(kind, unit, int(rank), 2)
        for kind in KINDS
        for unit in SCHEDULES
    }
    if rank == "0":
        torch.save(found, Path(folder) / "parameters.pt")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
