"""How long a run takes here: a trial of ten steps, of the real network.

The images are made up; how the time goes does not depend on what is on them. So a trial
needs no data, and nothing of it is kept.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from lazyrich_helpers.data.augmentation import CroppedImages
from lazyrich_helpers.data.datasets import Dataset, Split
from lazyrich_helpers.data.sources import source_of
from lazyrich_helpers.lws.schedules import Full
from lazyrich_helpers.measures.costs import looks, multiply_adds, trainable_share
from lazyrich_helpers.measures.measure import Measure
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.random_streams import generator
from lazyrich_helpers.runner.grouping import MANY
from lazyrich_helpers.training.ensemble import train_ensemble
from lazyrich_helpers.training.loop import EVAL_BATCH, count_correct, new_network, train
from lazyrich_helpers.training.run_config import RunConfig, num_steps

TRIAL_STEPS = 10
TRIAL_SECONDS = 2.0
"""What the steps may take; of a network so large, there are fewer."""
TRIAL_LR = 1e-4
"""So small that no trial diverges."""
TRIAL_PAYS = 2000
"""Steps of a group that are worth a trial of threads."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Seconds that a few steps took, of a training that updates every layer."""

    step: float
    """A step; where several are trained as one, each one's share of it."""
    alone: float
    """A step of one that is trained alone, and so watched by measures."""
    evaluation: float
    """A pass over all test images."""

    def times(self, factor: float) -> "Trial":
        """Return what a network of so many times the work would have taken."""
        return Trial(factor * self.step, factor * self.alone, factor * self.evaluation)


def trial_setting(config: RunConfig) -> RunConfig:
    """Return the training whose steps are tried; runs of like steps share it."""
    training = dataclasses.replace(config.training, num_epochs=1, seed=0)
    optimizer = dataclasses.replace(config.optimizer, lr=TRIAL_LR)  # type: ignore[type-var]
    return dataclasses.replace(
        config,
        init=XavierNormal(),
        optimizer=optimizer,
        updates=Full(),
        training=training,
    )


def tried(config: RunConfig, device: str, num: int = 1) -> Trial:
    """Return what the run's steps take here, tried now; of `num` trained as one."""
    setting = trial_setting(config)
    with suitable_threads(config, device, num):
        step, evaluation = _trial(setting, device, num)
        alone = _trial(setting, device, 1)[0] if num > 1 else step
    return Trial(step, alone, evaluation)


def run_seconds(
    config: RunConfig,
    measures: Sequence[type[Measure]],
    trial: Trial,
    *,
    eval_every: int = 1,
) -> float:
    """Return about how long a run takes, by a trial; as one of several, its share.

    The trial updates every layer; what sleeping ones save is taken from operations.
    """
    watching, passes = looks(config, measures, eval_every)
    step = trainable_share(config) * trial.step + watching * trial.alone
    return num_steps(config) * step + passes * trial.evaluation


def estimate_seconds(
    config: RunConfig,
    measures: Sequence[type[Measure]],
    device: str,
    *,
    eval_every: int = 1,
    num: int = 1,
) -> float:
    """Return the expected seconds of a run on `device`, from a trial of ten steps.

    Where it is one of `num` trained as one, these are its share of their seconds.
    """
    trial = tried(config, device, num)
    return run_seconds(config, measures, trial, eval_every=eval_every)


def _time(config: RunConfig, device: str, num: int) -> tuple[float, float]:
    """Return a run's seconds per training step and per pass over the test images."""
    first, _ = _steps(config, device, num, 1)  # it warms up
    few = min(TRIAL_STEPS, max(1, int(TRIAL_SECONDS / (num * first))))
    return _steps(config, device, num, few)


def _steps(
    config: RunConfig, device: str, num: int, num_steps: int
) -> tuple[float, float]:
    """Return what `_time` does, of so many steps."""
    data = made_up(config, device, num_steps)
    networks = [new_network(config, data) for _ in range(num)]
    if num > 1:
        ((epoch, *_),) = train_ensemble(networks, data, [config] * num)
    else:
        (epoch,) = train(networks[0], data, config)
    assert epoch is not None
    start = time.perf_counter()
    count_correct(networks[0], data.test, config.training.precision)
    per_image = (time.perf_counter() - start) / len(data.test)
    num_test = source_of(config.columns()["dataset"]).num_test
    return epoch.seconds / num_steps, per_image * num_test


def made_up(config: RunConfig, device: str, num_steps: int) -> Dataset:
    """Return images of noise for so many steps, and to test on at most as many."""
    num = num_steps * config.training.batch_size
    images = torch.rand(num, *config.data.image_shape, generator=generator("made up"))
    num_classes = config.data.num_classes
    labels = torch.arange(num) % num_classes
    whole = Split(images.to(device), labels.to(device))
    few = Split(whole.images[:EVAL_BATCH], whole.labels[:EVAL_BATCH])
    shift = None
    if isinstance(config.data, CroppedImages) and not config.data.num_views:
        shift = config.data.padding
    return Dataset(
        whole, few, few, digest="made up", num_classes=num_classes, shift=shift
    )


@contextlib.contextmanager
def suitable_threads(config: RunConfig, device: str, num: int = 1) -> Iterator[None]:
    """Inside, use the CPU threads that serve best: one for a small network.

    On two busy cores, nine networks of at most 75,000 parameters took 4.5 s with one
    thread and 11 to 17 s with two. `num` networks trained as one take a third less time
    with two threads where the cores are idle, and many times more where they are busy:
    if there is much to train, both are tried.
    """
    before = torch.get_num_threads()
    if multiply_adds(config) < MANY:
        torch.set_num_threads(1)
        long = num_steps(config) >= TRIAL_PAYS
        if num > 1 and before > 1 and long and torch.device(device).type == "cpu":
            torch.set_num_threads(_faster(config, device, num, (1, before)))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _faster(config: RunConfig, device: str, num: int, threads: Sequence[int]) -> int:
    """Return which number of threads takes the shorter steps, now."""
    seconds = {}
    for count in threads:
        torch.set_num_threads(count)
        seconds[count] = _time(trial_setting(config), device, num)[0]
    return min(seconds, key=seconds.__getitem__)


_trial = functools.lru_cache(_time)
