"""Checkpoints of a training that processes share; any number of others goes on."""

import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lazyrich_helpers.experiments.files import read_tensors, write_tensors
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner.checkpoints import EVERY, identity
from lazyrich_helpers.runner.processes import agreed, is_first
from lazyrich_helpers.training.loop import TrainingState
from lazyrich_helpers.training.run_config import RunConfig


class ShardedCheckpoint:
    """The place of one shared training's checkpoints, one folder for each.

    Each process writes its own parts (torch.distributed.checkpoint). Read elsewhere,
    by another number of processes or in another layout, the parts are cut anew.

    Args:
        config: What is trained.
        recipe: What it is measured by.
        store: Has the folder for checkpoints.
    """

    def __init__(self, config: RunConfig, recipe: Recipe, store: Store) -> None:
        self._of, name = identity([config], recipe)
        self._folder = store.checkpoints / f"{name}.sharded"
        self._last = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return time.monotonic() - self._last > EVERY

    def write(self, network: nn.Module, state: TrainingState, note: Any) -> None:
        """Keep it all; the first process's `note` (tensors, numbers, text) as well."""
        from torch.distributed.checkpoint.state_dict_saver import save

        self._last = time.monotonic()
        path = self._folder / f"{state.num_done:06d}"
        if is_first():
            shutil.rmtree(path, ignore_errors=True)  # begun and not ended
            write_tensors(path / "note.pt", {"of": self._of, "content": note})
        agreed(None)
        save(_content(network, state), checkpoint_id=path)
        if is_first():
            for older in self._complete()[:-1]:
                shutil.rmtree(older, ignore_errors=True)

    def read(self, network: nn.Module, state: TrainingState) -> Any:
        """Take up the last one, and return its note; None where there is none."""
        from torch.distributed.checkpoint.filesystem import FileSystemReader
        from torch.distributed.checkpoint.state_dict_loader import load

        found = agreed(self._complete() if is_first() else None)
        if not found:
            return None
        kept = read_tensors(found[-1] / "note.pt")
        assert kept["of"] == self._of
        reader = FileSystemReader(found[-1])
        known = reader.read_metadata().state_dict_metadata
        content = _content(network, state)
        content["optimizer"] = _room(network, known)
        load(content, storage_reader=reader)
        network.load_state_dict(content["network"])
        state.num_done = int(content["num_done"])
        parameters = dict(network.named_parameters())
        for key, value in content["optimizer"].items():
            name, word = key.split("/")
            state.optimizer.state[parameters[name]][word] = value
        return kept["content"]

    def _complete(self) -> list[Path]:
        """Return the folders that were written to the end, oldest first."""
        return sorted(path.parent for path in self._folder.glob("*/.metadata"))


def _content(network: nn.Module, state: TrainingState) -> dict[str, Any]:
    """Return what is kept: what the optimizer remembers by parameter, `name/word`.

    torch's own `get_state_dict` would have it remember something of every parameter; of
    one that was always frozen it does not.
    """
    names: dict[Any, str] = {p: name for name, p in network.named_parameters()}
    remembered = {
        f"{names[p]}/{word}": value
        for p, values in state.optimizer.state.items()
        for word, value in values.items()
        if value is not None
    }
    return {
        "network": network.state_dict(),
        "optimizer": remembered,
        "num_done": torch.tensor(state.num_done),
    }


def _room(network: nn.Module, known: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return memory for what a checkpoint has of the optimizer, laid out as here."""
    parameters, room = dict(network.named_parameters()), {}
    for key, tensor in known.items():
        if key.startswith("optimizer."):
            p = parameters[key.removeprefix("optimizer.").split("/")[0]]
            alike = tensor.size == p.shape
            room[key.removeprefix("optimizer.")] = (
                torch.zeros_like(p)
                if alike
                else torch.zeros(tensor.size, dtype=tensor.properties.dtype)
            )
    return room
