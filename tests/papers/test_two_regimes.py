"""The two regimes: how a step size is judged, and what the claims ask of tables."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.notebook.step_size_view import step_size_slider
from lazyrich_helpers.papers.asked import at_equal_loss
from lazyrich_helpers.papers.two_regimes import claims
from lazyrich_helpers.papers.two_regimes.momentum import (
    Momentum,
    momentum,
)
from lazyrich_helpers.papers.two_regimes.schedule_checks import stopped
from lazyrich_helpers.papers.two_regimes.schedules import (
    SCHEDULES,
    schedules,
    step_size,
)
from lazyrich_helpers.papers.two_regimes.studies import (
    Boundary,
    StepLines,
    StepSizes,
    boundary,
    rises,
    rounded,
    started,
    step_lines,
    step_sizes,
    warm,
)
from lazyrich_helpers.papers.two_regimes.tables import (
    best_with,
    largest_small,
    plateau,
    regime_table,
    regimes,
    regimes_after,
    rises_of,
    tuned,
)
from tests import tiny

TINY = {"train_size": 100, "width": 8, "seeds": (0, 1)}
SEEDS = range(5)


def curves(losses_by_lr, batch=32):
    """Return a table of curves: lr → losses of every seed, epoch by epoch."""
    rows = [
        (batch, lr, seed, epoch, loss, 0.9)
        for lr, losses in losses_by_lr.items()
        for seed in SEEDS
        for epoch, loss in enumerate(losses)
    ]
    names = ["batch_sizes", "lr", "seed", "epoch", "loss", "test_accuracy"]
    return pd.DataFrame(rows, columns=names)


FALLING = [2.0, 1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15]
SAW = [2.0, 1.0, 1.1, 0.5, 0.6, 0.3, 0.4, 0.1, 0.2, 0.05]
LOST = [2.0, 3.0, 2.5, 2.6, 2.4, 2.5, 2.4, 2.3, 2.4, 2.3]
SWEEP = {0.01: FALLING, 0.1: SAW, 1.0: LOST}


def test_rises_are_epochs_that_end_higher():
    losses = torch.tensor([[3.0, 3.0, 3.0], [2.0, 4.0, 2.0], [2.0, 3.0, torch.nan]])
    assert rises(losses).tolist() == [0.0, 0.5, 0.5]


def test_regimes_are_told_by_rises_and_by_what_is_learned():
    table = regime_table(curves(SWEEP))
    assert regimes(table) == {0.01: "small", 0.1: "large", 1.0: "fails"}
    assert largest_small(table) == 0.01
    saw = table[(table.lr == 0.1) & (table.seed == 0)].iloc[0]
    assert saw.rises == pytest.approx(4 / 9)
    assert saw.plateau == pytest.approx(np.mean(SAW[-5:]))


def test_a_small_step_that_learned_little_has_not_failed():
    slow = [2.3 - 0.01 * epoch for epoch in range(10)]
    assert regimes(regime_table(curves({0.001: slow, **SWEEP})))[0.001] == "small"


def test_the_boundary_is_below_the_first_step_size_that_rises():
    table = regime_table(curves({0.01: FALLING, 0.1: SAW, 0.5: FALLING}))
    assert largest_small(table) == 0.01
    assert np.isnan(largest_small(regime_table(curves({0.1: SAW}))))


@pytest.mark.parametrize(
    ("sweep", "word"),
    [
        (SWEEP, Word.HOLDS),
        ({0.01: FALLING, 0.1: FALLING}, Word.FAILS),
        ({0.01: SAW, 0.1: SAW}, Word.FAILS),
        ({0.01: SAW, 0.1: FALLING}, Word.FAILS),
        ({0.01: FALLING, 1.0: LOST}, Word.FAILS),
    ],
)
def test_two_regimes_need_both(sweep, word):
    claim = claims.TWO_REGIMES
    found = claim.check(regime_table(curves(sweep)), **claim.asks)
    assert found.word is word


def test_two_regimes_are_asked_of_each_batch_size():
    both = pd.concat([curves(SWEEP), curves({0.01: FALLING}, batch=8)])
    claim = claims.TWO_REGIMES
    found = claim.check(regime_table(both), **claim.asks)
    assert (found.word, found.part) == (Word.PARTLY, "for batches of 32")


def test_the_first_line_is_told_beside():
    seldom = [2.0, 1.0, 1.1, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1]  # 1 of 9 rises
    claim = claims.TWO_REGIMES
    for high, word in ((SAW, "holds"), (seldom, "does not hold")):
        table = regime_table(curves({0.01: FALLING, 0.1: high}))
        found = claim.check(table, **claim.asks)
        assert found.word is Word.HOLDS
        assert f"With the line at 30 %: {word} for batches of 32." in found.numbers


def test_regimes_are_those_of_where_large_steps_have_led():
    rows = [
        (epochs, lr, seed, rose, loss)
        for epochs, lr, rose, loss in (
            (0, 0.1, 0.0, 0.5), (0, 0.5, 0.3, 0.1), (10, 0.1, 0.2, 0.1),
            (10, 0.5, 0.4, 2.0),
        )
        for seed in SEEDS
    ]  # fmt: skip
    names = ["warm_epochs", "lr", "seed", "rises", "loss"]
    table = pd.DataFrame(rows, columns=names)
    assert regimes_after(table, 0) == {0.1: "small", 0.5: "large"}
    assert regimes_after(table, 10) == {0.1: "large", 0.5: "fails"}


def test_momentum_is_asked_where_it_starts():
    """Of the recorded steps 0.0316 is large from there, and 0.5623 fails."""
    found = {one.claim: one for one in claims.verdicts()}["TR3"]
    assert "; at 0.32," in found.numbers and "at 0.032," in found.numbers
    assert "at 0.56," not in found.numbers


def test_a_schedules_step_size_is_told_with_its_rises():
    table = schedule_table()
    last = (table.schedules == "constant") & (table.lr == 0.1) & (table.epoch == 10)
    table.loc[last, "loss"] = 9.0
    assert rises_of(table, 0.1) == pytest.approx(1 / 9) and rises_of(table, 0.01) == 0
    large = table.schedules.isin(["constant", "one drop"]) & (table.lr == 0.1)
    other = table[large].assign(lr=0.4, held_out_accuracy=0)
    other["test_accuracy"] = 0.3
    claim = claims.GENERALIZES
    found = claim.check(pd.concat([table, other]), 0.01, **claim.asks)
    assert "One drop from 0.1 (rises in 11 % of epochs)" in found.numbers
    assert "small steps, 0.01 (rises in 0 % of epochs)" in found.numbers
    assert "−10.0 ± 0.0." in found.numbers and found.word is Word.HOLDS


def test_schedules_start_large_and_end_small():
    sizes = {
        name: [step_size(name, 0.2, 0.01, epoch, 10) for epoch in range(10)]
        for name in ("constant", "one drop", "cosine")
    }
    assert sizes["constant"] == [0.2] * 10
    assert sizes["one drop"] == [0.2] * 8 + [0.01] * 2
    assert sizes["cosine"][0] == 0.2 and sizes["cosine"][5] == pytest.approx(0.1)
    assert (np.diff(sizes["cosine"]) < 0).all()


def schedule_table(drop=0.5, small=0.4, cosine=0.5, kept=1.0, spread=0.0):
    """Return runs of ten epochs whose loss halves, and accuracies at their end."""
    names = ["schedules", "lr", "seed", "epoch", "loss", "held_out_accuracy",
             "test_accuracy"]  # fmt: skip
    rows = []
    runs = [("constant", 0.01, small), ("constant", 0.1, 0.5), ("one drop", 0.1, drop),
            ("cosine", 0.1, cosine), ("small, longer", 0.01, small)]  # fmt: skip
    for (name, lr, accuracy), seed in itertools.product(runs, SEEDS):
        last = 20 if name == "small, longer" else 10
        for epoch in range(1, last + 1):
            loss = 2.0 ** -(epoch if last == 10 else epoch / 2)
            loss *= kept if (name, lr) == ("constant", 0.1) else 1
            own = accuracy + spread * (seed - 2)
            rows.append((name, lr, seed, epoch, loss, own, own))
    return pd.DataFrame(rows, columns=names)


def test_small_steps_are_compared_at_equal_training_loss():
    table = schedule_table()
    longer = table[table.schedules == "small, longer"]
    longer = longer.rename(columns={"loss": "train_loss"})
    levels = plateau(tuned(table, "one drop"))
    found = at_equal_loss(longer, levels)
    assert levels.tolist() == pytest.approx([np.mean(2.0 ** -np.arange(6, 11))] * 5)
    assert (found.epoch == 15).all() and found.reached.all()  # 2^-7.5 is the first
    seldom = longer.test_accuracy.where(longer.epoch % 2 == 0)
    found = at_equal_loss(longer.assign(test_accuracy=seldom), levels)
    assert (found.epoch == 16).all() and found.test_accuracy.notna().all()
    never = at_equal_loss(longer, levels / 1e6)
    assert (never.epoch == 20).all() and not never.reached.any()


def test_a_run_is_stopped_where_it_is_best_on_held_out_images():
    rows = pd.DataFrame({
        "seed": [0] * 4 + [1] * 4,
        "epoch": [4, 1, 2, 3] * 2,
        "held_out_accuracy": [0.1, 0.2, np.nan, 0.2, 0.9, 0.2, np.nan, 0.3],
        "test_accuracy": [0.4, 0.5, 0.6, 0.7] * 2,
    })  # fmt: skip
    assert stopped(rows).to_dict() == {0: 50.0, 1: 40.0}


@pytest.mark.parametrize(
    ("runs", "word"),
    [
        ({}, Word.HOLDS),
        ({"drop": 0.405}, Word.FAILS),
        ({"drop": 0.42, "spread": 0.0}, Word.HOLDS),
    ],
)
def test_generalization_asks_for_more_than_a_point(runs, word):
    claim = claims.GENERALIZES
    found = claim.check(schedule_table(**runs), 0.01, **claim.asks)
    assert found.word is word


def test_generalization_is_asked_at_equal_loss():
    claim, table = claims.GENERALIZES, schedule_table(small=0.3)
    longer = table.schedules == "small, longer"
    found = claim.check(table.assign(loss=table.loss + longer), 0.01, **claim.asks)
    assert found.word is Word.UNDECIDED and "0 of 5 small-step" in found.numbers
    table.loc[longer, "test_accuracy"] = 0.5
    assert claim.check(table, 0.01, **claim.asks).word is Word.FAILS


@pytest.mark.parametrize(
    ("cosine", "word"), [(0.5, Word.HOLDS), (0.505, Word.HOLDS), (0.53, Word.FAILS)]
)
def test_one_drop_may_be_a_point_below_a_cosine(cosine, word):
    claim = claims.SCHEDULE
    found = claim.check(schedule_table(cosine=cosine), 0.01, **claim.asks)
    assert found.word is word


@pytest.mark.parametrize(("kept", "word"), [(5.0, Word.HOLDS), (1.5, Word.FAILS)])
def test_a_higher_plateau_is_a_ratio(kept, word):
    claim = claims.PLATEAU
    found = claim.check(schedule_table(kept=kept), **claim.asks)
    assert found.word is word and f"{kept:.2g}" in found.numbers


def momentum_table(factor, batch=32):
    """Return losses that are `factor` times as high with momentum 0.9."""
    table = tiny.grid(lr=(0.1, 0.2), momentum=(0.0, 0.9), seed=SEEDS)
    loss = 0.2 * (1 + table.lr + table.seed / 50)
    loss[table.momentum > 0] *= factor
    return table.assign(batch_sizes=batch, loss=loss)


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1.2, Word.HOLDS), (2.0, Word.FAILS), (0.4, Word.FAILS)],
)
def test_matched_losses_are_within_a_factor(factor, word):
    claim = claims.MATCHED
    found = claim.check(momentum_table(factor), [0.1, 0.2], **claim.asks)
    assert found.word is word


def test_every_momentum_is_matched():
    table = momentum_table(1.0)
    middle = table[table.momentum > 0].assign(momentum=0.5, loss=lambda t: 3 * t.loss)
    claim = claims.MATCHED
    found = claim.check(pd.concat([table, middle]), [0.1, 0.2], **claim.asks)
    assert found.word is Word.FAILS
    assert claim.check(table, [], **claim.asks).word is Word.NOT_RUN


def test_matched_losses_may_part_at_the_largest_step():
    table = momentum_table(1.0)
    table.loc[(table.lr == 0.2) & (table.momentum == 0.9), "loss"] *= 3
    claim = claims.MATCHED
    found = claim.check(table, [0.1, 0.2], **claim.asks)
    assert (found.word, found.part) == (Word.PARTLY, "for η/(1 − μ) ≤ 0.1")


def test_momentum_gains_are_asked_in_full_batch():
    table = pd.concat([momentum_table(1.0), momentum_table(0.2, batch=1000)])
    claim = claims.SPEED
    found = claim.check(table, **claim.asks)
    assert found.word is Word.HOLDS
    assert "full batch 5 " in found.numbers and "batches of 32: 1 " in found.numbers
    other = pd.concat([momentum_table(0.2), momentum_table(1.0, batch=1000)])
    assert claim.check(other, **claim.asks).word is Word.FAILS
    assert set(best_with(momentum_table(1.0)).lr) == {0.1}


def test_a_step_size_with_a_lost_network_is_not_the_best():
    table = momentum_table(1.0)
    table.loc[(table.lr == 0.1) & (table.seed == 0), "loss"] = float("nan")
    assert set(best_with(table).lr) == {0.2}


def test_claims_are_not_run_without_studies(tmp_path, monkeypatch):
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path))
    assert {one.word for one in claims.verdicts()} == {Word.NOT_RUN}


def test_a_curve_starts_at_the_initial_weights_and_falls():
    settings = StepSizes(**TINY, lrs=(0.01, 0.1), batch_sizes=(20,), num_epochs=3)
    table = step_sizes(settings, 20, "cpu")
    start, end = (table[table.epoch == epoch] for epoch in (0, 3))
    by_lr = start.pivot_table("loss", "seed", "lr")
    assert (by_lr[0.01] == by_lr[0.1]).all(), "equal weights at equal seeds"
    assert (end.loss.to_numpy() < start.loss.to_numpy()).all()
    assert len(table) == 2 * 2 * 4


def test_tiny_full_batch_steps_go_down_a_line_and_huge_ones_beyond_its_minimum():
    settings = StepLines(
        **TINY, lrs=(0.001, 3.0), batch_sizes=(100,), marks=(2, 6), num_lines=3
    )
    table = step_lines(settings, 100, "cpu").set_index("lr")
    assert set(table.step) == {2, 6} and len(table) == 8
    tiny = table.loc[0.001]
    assert (tiny.overshoot == 0).all() and (tiny.uphill == 0).all()
    first = table[table.step == 2].loc[3.0]
    assert (first.overshoot > 0).any()
    assert (table.sharpness > 0).all()


def test_large_steps_move_where_the_sweep_starts():
    settings = Boundary(
        **TINY, lrs=(0.01, 0.1), warm_epochs=(0, 4), batch_size=20, num_epochs=2
    )
    cold, warmed = (boundary(settings, epochs, "cpu") for epochs in (0, 4))
    assert (warmed["first"] < cold["first"]).all()
    run, _, _, _ = started(settings, "cpu")
    assert cold["first"].tolist() == rounded(run.losses(run.parameters))


def test_warming_leaves_no_velocity_and_forgets_momentum():
    settings = Momentum(**TINY, lrs=(0.1,), momenta=(0.0, 0.9))
    run, about, _, _ = started(settings, "cpu", settings.momenta)
    warm(run, 0.1, 20, 2)
    first, second = run.parameters[about.momentum == 0], run.parameters[2:]
    assert torch.equal(first, second) and not run.velocity.any()
    assert run.momenta.tolist() == pytest.approx([0, 0, 0.9, 0.9])


def test_matched_momentum_is_a_rescaled_step_where_steps_are_small():
    r"""Far from the start of training, v is g/(1 − μ) where g hardly changes."""
    settings = Momentum(
        **TINY, lrs=(1e-4,), momenta=(0.0, 0.9), batch_sizes=(100,), num_steps=200,
        warm_epochs=1,
    )  # fmt: skip
    table = momentum(settings, 100, "cpu")
    fallen = (table["first"] - table.loss).groupby(
        [table.warm_epochs, table.seed, table.momentum]
    )
    by_momentum = fallen.sum().unstack()
    # The first 1/(1 − μ) = 10 of 200 steps are shorter.
    assert (by_momentum[0.9] / by_momentum[0.0]).between(0.9, 1.0).all()


def test_small_alone_is_run_longer_and_from_the_small_step():
    settings = SCHEDULES.settings("smoke")
    longer = schedules(settings, "small, longer", "cpu")
    assert set(longer.lr) == {settings.small_lr}
    assert longer.epoch.max() == 4 * settings.num_epochs
    drop = schedules(settings, "one drop", "cpu")
    assert settings.small_lr not in set(drop.lr)
    looked = drop.dropna(subset="test_accuracy")
    assert set(looked.epoch) == {settings.num_epochs}


def test_the_explorer_shows_the_tables_values():
    losses = curves(SWEEP)
    losses.loc[(losses.lr == 1.0) & (losses.epoch == 9), "loss"] = float("nan")
    table = regime_table(losses)
    made = step_size_slider(losses, table, {32: regimes(table)}, start=0.09)
    assert made.chosen("stop") == "0.1" and made.chosen("batch") == "32"
    cell = made.data["cells"]["0,1"]
    assert cell["losses"] == [SAW] * 5
    assert cell["rises"] == pytest.approx(4 / 9, abs=1e-4)
    assert "rises in 44 % of the epochs, the large-step regime" in cell["words"]
    assert "ends at 0.21, the test accuracy at 90.0 % (n = 5)" in cell["words"]
    lost = made.data["cells"]["0,2"]
    assert lost["losses"][0][9] is None and "networks fail" in lost["words"]
