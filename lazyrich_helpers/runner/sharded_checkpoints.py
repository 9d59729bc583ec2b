"""Checkpoints of a training that processes share; any number of others goes on."""

import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.files import PASSING, read_tensors, write_tensors
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner.checkpoints import EVERY, identity, say_removed
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
        self._config = config
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
        """Take up the last one; return its note, in the first process.

        None where there is none that can be read.

        Raises:
            OSError, MemoryError, torch.OutOfMemoryError: As `read_tensors`.
            RuntimeError: If parts of it are damaged; it was removed then.
        """
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.filesystem import FileSystemReader
        from torch.distributed.checkpoint.state_dict_loader import load

        path, note = self._last_whole() if is_first() else (None, None)
        path = agreed(path)
        if path is None:
            return None
        reader = FileSystemReader(path)
        known = reader.read_metadata().state_dict_metadata
        content = _content(network, state)
        content["optimizer"] = _room(network, known)
        try:
            load(content, storage_reader=reader)
        except CheckpointException as error:  # in all processes
            causes = [cause for cause, _ in error.failures.values()]
            if is_first() and not any(isinstance(cause, PASSING) for cause in causes):
                self._refuse(path, causes[0])
            raise RuntimeError(f"{path} could not be read") from error
        network.load_state_dict(content["network"])
        state.num_done = int(content["num_done"])
        parameters = dict(network.named_parameters())
        for key, value in content["optimizer"].items():
            name, word = key.split("/")
            state.optimizer.state[parameters[name]][word] = value
        return note

    def _last_whole(self) -> tuple[Path | None, Any]:
        """Return the last one's folder and note; what is damaged is removed."""
        from torch.distributed.checkpoint.filesystem import FileSystemReader

        for path in reversed(self._complete()):
            try:
                kept = read_tensors(path / "note.pt")
                require(kept.get("of") == self._of, "it", "of this run", path.name)
                FileSystemReader(path).read_metadata()
                return path, kept["content"]
            except Exception as error:  # of a wrong file, anybody's guess
                gone = isinstance(error, FileNotFoundError)
                if isinstance(error, PASSING) and not gone:
                    raise
                self._refuse(path, error)
        return None, None

    def _refuse(self, path: Path, error: BaseException) -> None:
        """Remove a checkpoint that cannot be used, and say so."""
        shutil.rmtree(path, ignore_errors=True)
        say_removed(self._config, path, error)

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
