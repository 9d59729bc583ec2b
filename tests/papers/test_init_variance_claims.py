"""Verdicts on tables made up so that each word has to come out; figures draw them."""

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.papers import asked
from lazyrich_helpers.papers.init_variance import claims, plots, tables
from lazyrich_helpers.papers.init_variance.theory import correlations
from tests import tiny

SEEDS = range(6)
NOISE = np.array([-1.0, 0.5, 0.0, 0.5, 0.0, 0.0])


def decayed(**share_of):
    """A table of layers 1 and 50: the share in the latter by width."""
    rows = [
        (int(width[1:]), seed, layer, 2.0, 2 * (share if layer == 50 else 1.0))
        for width, shares in share_of.items()
        for seed, share in enumerate(shares)
        for layer in (1, 50)
    ]
    columns = ["widths", "seed", "layer", "total", "sample"]
    return tables.with_share(pd.DataFrame(rows, columns=columns))


def trained(**steps):
    """A table at two learning rates: the steps of each start and depth by seed.

    `sample_10=...`; at the other rate each takes one step fewer, but one seed fails.
    """
    rows = []
    for name, each in steps.items():
        start, depth = name.rsplit("_", 1)
        for seed in SEEDS:
            other = math.nan if seed == 2 else each[seed] - 1
            for lr, taken in ((0.1, each[seed]), (0.3, other)):
                losses = (2.0, math.nan if math.isnan(taken) else 0.1)
                rows.append((start, int(depth), lr, seed, taken, 0.9, *losses))
    columns = "inits depth lr seed steps accuracy loss_10 loss_20"
    return pd.DataFrame(rows, columns=columns.split())


NEVER = [math.nan] * 6


def test_decay_is_asked_of_every_width():
    small, large = 0.05 + 0.01 * NOISE, 0.2 + 0.01 * NOISE
    found = claims.check_decay(decayed(w8=large, w64=small), layer=50, share=10.0)
    assert str(found) == "partly for w = 64"
    assert "w = 64: 5.0 ± " in found.numbers and "n = 6 seeds" in found.numbers
    every = claims.check_decay(decayed(w8=small, w64=small), layer=50, share=10.0)
    assert every.word is Word.HOLDS
    near = claims.check_decay(decayed(w8=0.1 + 0.1 * NOISE), layer=50, share=10.0)
    assert near.word is Word.UNDECIDED


AT_20, AT_50 = (1 - correlations(50))[[19, 49]]


def at_layer(layer, share):
    """A table of one width with a share in a layer, by seed, and in the lowest one."""
    table = decayed(w8=share)
    return table.assign(layer=table.layer.replace(50, layer))


@pytest.mark.parametrize(
    ("times", "word"),
    [
        (1.0, Word.HOLDS),
        (1.2, Word.HOLDS),
        (1.5, Word.FAILS),
        (0.5, Word.FAILS),
        (1.25, Word.UNDECIDED),
    ],
)
def test_the_recursion_is_asked_of_the_share(times, word):
    """ρ itself would be within 0.03 in all of these."""
    table = at_layer(20, AT_20 * (times + 0.02 * NOISE))
    found = claims.check_recursion(table, percent=25.0, layer=20)
    assert found.word is word
    assert f"{100 * (times - 1):+.1f} ± ".replace("-", "−").lstrip("+") in found.numbers


def test_the_recursion_is_asked_of_every_layer_up_to_one():
    right, wrong = AT_20 * (1 + 0.02 * NOISE), AT_20 * (3 + 0.02 * NOISE)
    high = decayed(w8=AT_50 * (3 + 0.02 * NOISE))
    high = high[high.layer == 50]
    found = claims.check_recursion(
        pd.concat([at_layer(20, right), high]), percent=25.0, layer=20
    )
    assert found.word is Word.HOLDS and "(+200.0 ± " in found.numbers
    found = claims.check_recursion(
        pd.concat([at_layer(20, wrong), high]), percent=25.0, layer=20
    )
    assert found.word is Word.FAILS


def started(layer, sample):
    table = tiny.grid(inits=("layer", "sample"), seed=SEEDS).assign(layer=50, total=1.0)
    shares = table.inits.map({"layer": layer, "sample": sample})
    return tables.with_share(table.assign(sample=shares + 0.01 * NOISE[table.seed]))


@pytest.mark.parametrize(
    ("layer", "sample", "said"),
    [
        (0.05, 0.98, "holds"),
        (0.05, 0.5, "partly for layer statistics"),
        (0.5, 0.98, "partly for sample statistics"),
        (0.5, 0.5, "does not hold"),
        (0.1, 0.98, "undecided"),
    ],
)
def test_kept_is_asked_of_both_statistics(layer, sample, said):
    table = started(layer, sample)
    found = claims.check_kept(table, layer=50, low=10.0, high=90.0)
    assert str(found) == said
    itself = f"{sample:.1f} in the median, {sample - 0.01:.1f} to {sample + 0.005:.1f}"
    assert itself in found.numbers


def test_the_best_rate_is_one_that_all_seeds_reach():
    steps = [30, 31, 32, 33, 34, 32]
    best = tables.best_rates(trained(sample_10=steps, layer_10=NEVER))
    assert set(best.lr) == {0.1} and set(best.inits) == {"sample"}
    assert list(tables.steps_at_best(best, "sample", 10)) == steps
    assert tables.steps_at_best(best, "layer", 10) is None
    words = tables.reached_by_start(trained(sample_10=steps))
    assert words.to_numpy().tolist() == [
        ["sample statistics", 10, 0.1, "32.0 ± 1.5", "90.0 ± 0.0"]
    ]


def test_starts_are_compared_at_rates_that_both_bear():
    table = trained(sample_10=[30] * 6, layer_10=[40] * 6)
    ahead = 0.9 - 0.01 * table.seed * (table.inits == "sample")
    table = table.assign(accuracy=ahead, loss_20=table.lr * (table.inits == "layer"))
    found = tables.same_rates(table, "sample", "layer", 10)
    assert found.lr.tolist() == [0.1] * 6 and found.seed.tolist() == [*SEEDS]
    assert found.ahead.tolist() == pytest.approx([-seed for seed in SEEDS])
    assert found.loss.eq(0).all() and found.other_loss.eq(0.1).all()
    assert tables.same_rates(table, "sample", "he", 10).empty


def test_the_least_loss_shuns_what_diverges():
    found = tables.least_loss(trained(sample_10=[30] * 6, layer_10=NEVER))
    assert set(found[found.inits == "sample"].lr) == {0.1}
    assert set(found.inits) == {"sample", "layer"}


SLOW, FAST = [60, 62, 61, 60, 63, 61], [40, 41, 39, 40, 42, 40]
FASTEST = [30, 30, 29, 31, 30, 30]


@pytest.mark.parametrize(
    ("sample", "layer", "word"),
    [
        (FAST, SLOW, Word.HOLDS),
        (SLOW, FAST, Word.FAILS),
        (FAST, [20, 60, 40, 41, 39, 40], Word.UNDECIDED),
        (FAST, NEVER, Word.HOLDS),
        (NEVER, SLOW, Word.FAILS),
        (NEVER, NEVER, Word.UNDECIDED),
    ],
)
def test_faster_is_asked_of_paired_seeds(sample, layer, word):
    table = trained(sample_10=sample, layer_10=layer)
    assert claims.check_faster(table).word is word


SOME = [math.nan, 60, 62, 61, 63, 61]
"""One of six seeds does not get there."""
FEW = [math.nan, math.nan, 62, math.nan, 63, math.nan]
"""Nor do most of them."""


@pytest.mark.parametrize(
    ("sample", "layer", "word"),
    [
        (SOME, SLOW, Word.UNDECIDED),
        (SLOW, SOME, Word.UNDECIDED),
        (FEW, SLOW, Word.FAILS),
        (SLOW, FEW, Word.HOLDS),
        (SOME, FEW, Word.UNDECIDED),
    ],
)
def test_one_seed_that_is_late_decides_nothing(sample, layer, word):
    table = trained(sample_10=sample, layer_10=layer)
    assert claims.check_faster(table).word is word


@pytest.mark.parametrize(("num", "words"), [(1, None), (5, None), (6, True)])
def test_few_seeds_decide_no_count(num, words):
    table = trained(sample_10=FAST, layer_10=NEVER)
    found = claims.check_faster(table[table.seed < num])
    assert found.word is (Word.HOLDS if words else Word.UNDECIDED)
    table = trained(sample_10=NEVER, layer_10=SLOW, batch_norm_10=FAST)
    found = claims.check_fraction(table[table.seed < num], fraction=50)
    assert found.word is (Word.FAILS if words else Word.UNDECIDED)


def test_a_fraction_of_no_saving_is_none():
    slower = [steps + 70 for steps in SLOW]
    table = trained(sample_10=SLOW, layer_10=FAST, batch_norm_10=slower)
    found = claims.check_fraction(table, fraction=10)
    assert found.word is Word.FAILS and "% of −90.8 ± " in found.numbers


def test_an_undecided_depth_is_named():
    table = trained(sample_10=FAST, layer_10=SLOW, sample_20=SOME, layer_20=SLOW)
    found = claims.check_faster(table)
    assert str(found) == "undecided for 20 layers"
    assert "20 layers: reached by 5 of 6 seeds from sample" in found.numbers


@pytest.mark.parametrize(
    ("sample", "norm", "word"),
    [
        (SOME, FASTEST, Word.UNDECIDED),
        (FEW, FASTEST, Word.FAILS),
        (FEW, NEVER, Word.UNDECIDED),
        (FAST, NEVER, Word.UNDECIDED),
    ],
)
def test_a_fraction_needs_batch_norms_steps(sample, norm, word):
    table = trained(sample_10=sample, layer_10=SLOW, batch_norm_10=norm)
    assert claims.check_fraction(table, fraction=50).word is word


def test_the_fraction_is_of_batch_norms_saving():
    table = trained(sample_10=FAST, layer_10=SLOW, batch_norm_10=FASTEST)
    part = tables.speed_up(tables.best_rates(table), 10)
    assert part[0] == pytest.approx((60 - 40) / (60 - 30))
    assert claims.check_fraction(table, fraction=50).word is Word.HOLDS
    assert claims.check_fraction(table, fraction=90).word is Word.FAILS
    deep = trained(sample_30=NEVER, layer_30=SLOW, batch_norm_30=FAST)
    both = pd.concat([table, deep])
    assert str(claims.check_fraction(both, fraction=50)) == "partly for 10 layers"
    assert str(claims.check_faster(both)) == "partly for 10 layers"


def test_a_missing_study_gives_no_verdict(monkeypatch):
    def lacking(study):
        return dataclasses.replace(read_study(study), missing=["one"])

    monkeypatch.setattr(asked, "read_study", lacking)
    assert {one.word for one in claims.verdicts()} == {Word.NOT_RUN}


def test_scopes_are_of_the_settings():
    for _, study, about in claims.CLAIMS:
        settings = study.settings("paper")
        widths = getattr(settings, "widths", None) or (settings.width,)
        ends = " to ".join(f"{w:,}" for w in dict.fromkeys((widths[0], widths[-1])))
        assert f" · w = {ends} · " in about
        depths = getattr(settings, "depths", None) or (settings.depth,)
        assert f" · {', '.join(map(str, depths))} " in about


def test_curves_have_a_row_for_each_kept_point():
    long = plots.curves(trained(sample_10=FAST))
    assert sorted(long.step.unique()) == [10, 20] and len(long) == 2 * 12
    assert long[long.step == 10].loss.eq(2.0).all()


def test_figures_name_what_they_draw():
    decay, starts, training, images = (
        read_study(study).table
        for study in (claims.DECAY, claims.STARTED, claims.TRAINING, claims.IMAGES)
    )
    decay, starts, images = map(tables.with_share, (decay, starts, images))
    best = tables.best_rates(training)
    hero = plots.decay_and_training(decay, best, 10)
    left, right = hero.axes
    theory = left.get_lines()[-1]
    assert theory.get_ydata()[0] == 100 and len(theory.get_ydata()) == 50
    drawn = [line.get_label() for line in right.get_lines()]
    assert "sample statistics" in drawn and "batch norm" in drawn
    panels = plots.steps_over_rates(training).axes
    assert [ax.get_title() for ax in panels] == [
        f"{depth} hidden layers" for depth in (10, 20, 30)
    ]
    gradient = plots.starts_down(starts).axes[1].get_lines()
    assert all(line.get_ydata()[-1] == 0 for line in gradient)
    gains = {gain: f"{gain:.1f}" for gain in images.gain.unique()}
    rho = plots.images_down(images, gains).axes[1].get_lines()[-1]
    assert rho.get_label() == plots.IN_THEORY and len(rho.get_ydata()) == 4
    units = read_study(claims.HISTOGRAMS)
    axes = plots.units_down(units.table, ["he", "sample"], [1, 50], 3.0).axes
    titles = [ax.get_title() for ax in axes]
    assert titles == ["layer 1", "layer 50", "", ""]


def test_each_start_has_a_look_of_its_own():
    looks = [
        (plots.start_color(start), str(plots._look(start))) for start in plots.STARTS
    ]
    for one, two in itertools.combinations(looks, 2):
        assert one[0] != two[0] and one[1] != two[1]
