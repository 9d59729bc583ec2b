"""Recipes completed by processes that share each network: `--shard` under torchrun."""

import contextlib
import pickle
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lazyrich_helpers.config import reason, require
from lazyrich_helpers.experiments.origin import origin_of
from lazyrich_helpers.experiments.recipes import Recipe
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.runner.attempts import Attempts, Summary
from lazyrich_helpers.runner.backlog import missing
from lazyrich_helpers.runner.execution import Watched, new_watched, record_of
from lazyrich_helpers.runner.processes import agreed, is_first, join, leave
from lazyrich_helpers.runner.progress import Lines, Progress
from lazyrich_helpers.runner.sharded_checkpoints import ShardedCheckpoint
from lazyrich_helpers.runner.stopping import Stop, Stopped, graceful_stop
from lazyrich_helpers.training.layouts import gathered, lay_out
from lazyrich_helpers.training.loop import TrainingState, initialized, train
from lazyrich_helpers.training.objectives import CrossEntropy
from lazyrich_helpers.training.run_config import RunConfig

WHERE = re.compile(r"\[/\S+\] ")
"""The place in gloo's source that its errors begin with."""
KEPT = "What is finished and the last checkpoint are kept; the same command goes on."


def complete_sharded(
    recipes: Sequence[Recipe],
    store: Store,
    layout: str,
    device: str,
    stop: Stop | None = None,
) -> int:
    """Train and measure what `store` lacks, all processes together, and end them.

    Networks are trained one after the other. The first process writes the records,
    which carry the mesh, and measures the trained networks whole.

    Args:
        recipes: What to complete.
        store: Where.
        layout: One of `layouts.LAYOUTS`.
        device: As `pick_device` returns it.
        stop: Ends it early, as the first process's is due; None never does.

    Returns:
        The exit status, where processes could not meet: else it does not return.

    Raises:
        ValueError: If torchrun did not start this process.
    """
    device, stop, code = join(device), stop or Stop(), 0
    try:
        with graceful_stop(stop):
            for recipe in recipes:
                summary = _Together(recipe, store, layout, device, stop).completed()
                code = max(code, agreed(1 if summary.failed else 0))
                if is_first():
                    print(f"{recipe.name} at {recipe.budget}: {summary}")
    except Stopped:
        _say(f"Stopped. {KEPT}")
        leave(130 if agreed(stop.asked) else 0)
    except ValueError as error:  # which all processes find
        _say(f"error: {error}")
        leave(2)
    except (RuntimeError, OSError) as error:  # of one that is left: the lost say none
        print(
            f"error: another process ended, or this one cannot go on "
            f"({WHERE.sub('', reason(error))[:120]}). {KEPT}",
            file=sys.stderr,
        )
        leave(1, alone=True)
    leave(code)


def _say(text: str) -> None:
    if is_first():
        print(text, file=sys.stderr)


@dataclass(frozen=True)
class _Together:
    """How all processes complete one recipe."""

    recipe: Recipe
    store: Store
    layout: str
    device: str
    stop: Stop
    """The first process's is the one that counts."""

    def completed(self) -> Summary:
        """Complete the recipe; the first process's summary tells of it."""
        recipe, store = self.recipe, self.store
        progress = Lines() if is_first() else Progress()
        attempts = Attempts(recipe, store, self.device, progress, self.stop)
        summary = attempts.summary
        todo = agreed(missing(recipe, store) if is_first() else [])
        summary.num_there = len(recipe.configs) - len(todo)
        progress.begin(todo)
        for config in todo:
            if agreed(self.stop.due):
                raise Stopped
            with self._claimed(config) as claimed:
                if not claimed:
                    summary.postponed.append(config)
                    continue
                seen = self._trained(config, progress)
                if seen is not None:
                    self._record(seen, attempts)
        progress.end()
        return summary

    def _record(self, seen: Watched, attempts: Attempts) -> None:
        """Measure and record a network; where that fails the processes go on."""
        try:
            seconds = sum(epoch.seconds for epoch in seen.epochs)
            record = record_of(seen, self.store, seconds)
            self.store.write(record)
        except Exception as error:  # none but the first process can know of it
            attempts.fail(seen.run.config, error)
            return
        attempts.ended(record)
        attempts.tidy(record.config)

    @contextlib.contextmanager
    def _claimed(self, config: RunConfig) -> Iterator[bool]:
        """Inside, no other batch has this run; false where another has it."""
        with contextlib.ExitStack() as locks:
            claim = None
            if is_first():
                lock = self.store.lock(config.run_id, seconds=0.0)
                claim = locks.enter_context(lock)
            yield agreed(claim is not None)

    def _trained(self, config: RunConfig, progress: Progress) -> Watched | None:
        """Train one network; return what the first process has seen of it."""
        require_shareable(config)
        recipe, data = self.recipe, config.data.load(self.device)
        place = ShardedCheckpoint(config, recipe, self.store)
        network = initialized(config, data)
        sharding = lay_out(network, self.layout, self.device)
        seen: Watched | None = None
        if is_first():
            where = origin_of(data, config.training.precision)
            where["mesh"] = sharding.described()
            with _by_itself():
                seen = new_watched(config, recipe, data, where)
        state = TrainingState(network, data, config)
        note = place.read(network, state)
        if seen is not None and note is not None:
            seen.load_state_dict(note)
        if agreed(seen is not None and seen.diverged):
            return seen
        watching = any(measure.watches for measure in recipe.measures)
        options: Any = {"eval_every": recipe.eval_every, "sharding": sharding}
        for epoch in train(network, data, config, state=state, **options):
            if watching:
                _gather(network, seen)
            if seen is not None:
                with _by_itself():
                    seen.after_epoch(epoch)
                progress.advance(config, epoch.number)
            due, ends = agreed((place.due, self.stop.due))
            if due or ends:
                place.write(network, state, seen and seen.state_dict())
            if ends:
                raise Stopped
        _gather(network, seen)
        return seen


@contextlib.contextmanager
def _by_itself() -> Iterator[None]:
    """Inside, what this process finds wrong is its own: the others do not find it."""
    try:
        yield
    except ValueError as error:
        raise RuntimeError(str(error)) from error


def require_shareable(config: RunConfig) -> None:
    """Raise ValueError where a run needs the whole of a network in one process."""
    num_layers = len(config.blueprint().layers)
    objective, plan = config.objective, config.updates.plan(0, 0, num_layers, 0)
    named = f"of logits alone, as {CrossEntropy.kind}"
    require(objective.of_logits, "a shared objective", named, objective)
    whole_ones = plan.mask is None and plan.perturbation is None
    remedy = "one of whole layers, without masks and perturbations"
    require(whole_ones, "a shared schedule", remedy, config.updates)


def _gather(network: nn.Module, seen: Watched | None) -> None:
    """Bring all parameters together in the first process's own network."""
    own = None if seen is None else seen.run.network.state_dict()
    for name, tensor in network.state_dict().items():
        values = gathered(tensor)  # one at a time: all have to take part
        if own is not None:
            own[name].copy_(values)


if __name__ == "__main__":  # of a Slurm job, on its node
    complete_sharded(*pickle.loads(Path(sys.argv[1]).read_bytes()))
