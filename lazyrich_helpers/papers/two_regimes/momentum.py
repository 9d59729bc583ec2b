"""SGD on digits with momentum, at matched step sizes, in batches and in full."""

from dataclasses import dataclass

import pandas as pd
import torch

from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.two_regimes.studies import (
    COARSE,
    FEW,
    Digits,
    quarter_decades,
    rounded,
    started,
    warm,
)


@dataclass(frozen=True, kw_only=True)
class Momentum(Digits):
    """Settings of `MOMENTUM`."""

    lrs: tuple[float, ...] = quarter_decades(-8, 6)
    """η/(1 − μ)."""
    momenta: tuple[float, ...] = (0.0, 0.5, 0.9, 0.95)
    batch_sizes: tuple[int, ...] = (32,)
    """As large as the training set: full-batch gradient descent."""
    warm_epochs: int = 10
    """Epochs with the large step before the second start; the first is θ⁰."""
    warm_batch_size: int = 32
    large_lr: float = quarter_decades(-3, -3)[0]
    num_steps: int = 400


def momentum(settings: Momentum, batch_size: int, device: str) -> pd.DataFrame:
    """Return losses with momentum at matched η/(1 − μ), from θ⁰ and from large steps'.

    `early` is after a tenth of the steps, `loss` the mean of the last tenth's.
    """
    tenth = max(1, settings.num_steps // 10)
    tables = []
    for warm_epochs in (0, settings.warm_epochs):
        run, about, lrs, _ = started(settings, device, settings.momenta)
        warm(run, settings.large_lr, settings.warm_batch_size, warm_epochs)
        first = early = run.losses(run.parameters)
        late, batches = [], run.batches(batch_size)
        for step in range(1, settings.num_steps + 1):
            run.step(lrs, batches(step - 1))
            if step == tenth:
                early = run.losses(run.parameters)
            if step % 2 == 0 and step > settings.num_steps - tenth:
                late.append(run.losses(run.parameters))
        tables.append(
            about.assign(
                warm_epochs=warm_epochs,
                first=rounded(first),
                early=rounded(early),
                loss=rounded(torch.stack(late).mean(0)),
            )
        )
    return pd.concat(tables, ignore_index=True)


MOMENTUM = Study(
    name="regimes-momentum",
    says="Training loss with momentum, at matched η/(1 − μ), from two starts",
    point=momentum,
    over="batch_sizes",
    budgets={
        "smoke": Momentum(**FEW, momenta=(0.0, 0.9), warm_epochs=1, num_steps=20),
        "laptop": Momentum(
            **{**COARSE, "lrs": quarter_decades(-6, 4)[::2]},
            momenta=(0.0, 0.9),
            num_steps=150,
        ),
        "paper": Momentum(),
    },
)
FULL_BATCH = Study(
    name="regimes-full-batch",
    says="Training loss of full-batch gradient descent with momentum, from two starts",
    point=momentum,
    over="batch_sizes",
    budgets={
        "smoke": Momentum(
            **FEW,
            momenta=(0.0, 0.9),
            batch_sizes=(200,),
            warm_epochs=1,
            num_steps=20,
        ),
        "laptop": Momentum(
            **{**COARSE, "lrs": quarter_decades(-6, 4)[::2]},
            momenta=(0.0, 0.9),
            batch_sizes=(500,),
            num_steps=100,
        ),
        "paper": Momentum(
            train_size=500,
            lrs=quarter_decades(-4, 6),
            momenta=(0.0, 0.9),
            batch_sizes=(500,),
            num_steps=300,
        ),
    },
)
