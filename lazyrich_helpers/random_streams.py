"""Random streams that depend on a name and a key, never on what ran before."""

import hashlib

import torch


def generator(stream: str, *key: int) -> torch.Generator:
    """Return a CPU generator for one purpose at one place.

    `generator("order", seed, epoch)` gives the same stream whether the run was resumed
    or not, on every device: numbers are drawn on the CPU and moved.
    """
    text = "/".join([stream, *map(str, key)])
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
