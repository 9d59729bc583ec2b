"""What is said of the studies of partial gradients: tables, claims, the explorer."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.notebook.sampler_view import sampler_explorer
from lazyrich_helpers.papers.partial_sgd import claims, tables
from lazyrich_helpers.papers.partial_sgd.entries import ENTRIES
from tests import browser as chromium
from tests import tiny

NAMES = ("sgd", "lws-static", "sam")
ACCURACY = {"sgd": (0.5, 0.90), "lws-static": (0.7, 0.80), "sam": (0.895, 0.92)}
"""At the middle and at the end."""


def made(names=NAMES, seeds=(0, 1, 2), **shifts):
    """Return a table of samplers, two looks of a training each."""
    rows = []
    for name, seed in itertools.product(names, seeds):
        for matched in ("core", "total") if name in ("sam", "low-rank") else ("both",):
            cost = {"both": 1.0, "core": 2.0, "total": 1.5}[matched]
            for look in (1, 2):
                reached = ACCURACY.get(name, (0.5, 0.9))[look - 1]
                reached += 0.001 * (seed - 1) + shifts.get(name, 0.0)
                rows.append(
                    {
                        "samplers": name,
                        "seed": seed,
                        "matched": matched,
                        "step": 10 * look,
                        "accuracy": reached,
                        "forward": 100 * cost * look,
                        "backward": 200 * cost * look,
                        "backward_seconds": 2.0 * cost * look,
                        "seconds": 4.0 * cost * look,
                        "updated": "" if seed else f"{50 * look} 100",
                        "bytes": 1000 * cost,
                        "lr": 0.1,
                    }
                )
    return pd.DataFrame(rows)


def test_costs_are_over_sgds_at_the_end():
    last = tables.final_table(made(), "total")
    assert len(last) == 9
    means = last.groupby("samplers").mean(numeric_only=True)
    for column in ("forward", "backward", "flops", "backward_time", "time", "memory"):
        assert means[column].to_dict() == pytest.approx(
            {"sgd": 1.0, "lws-static": 1.0, "sam": 1.5}
        )
    assert means.accuracy.to_dict() == pytest.approx(
        {"sgd": 90.0, "lws-static": 80.0, "sam": 92.0}
    )
    core = tables.final_table(made(), "core")
    assert core[core.samplers == "sam"].flops.tolist() == [2.0] * 3


def test_the_time_to_full_accuracy_is_that_of_the_first_look_there():
    last = (
        tables.final_table(made(), "total").groupby("samplers").mean(numeric_only=True)
    )
    # A point below 90 %: SAM is there at its first look, of 1.5 x 4 s; SGD needs 8 s.
    assert last.reached["sam"] == pytest.approx(6 / 8)
    assert last.reached["sgd"] == 1.0
    assert np.isnan(last.reached["lws-static"])
    rows = tables.rows_table(made(), "total").set_index("sampler")
    assert rows.accuracy["SAM"].startswith("92.0 ± ")


def test_savings_are_judged_by_what_saves():
    names = ("sgd", *claims.SAVES)

    def cheaper(table):
        table.loc[table.samplers != "sgd", ["forward", "backward"]] *= 0.4
        return table

    found = claims.check_saves(cheaper(made(names)), most=1)
    assert found.word is Word.PARTLY
    assert "LWS: top 2" not in found.part and "LISA" in found.part
    ahead = claims.ahead_of_sgd(
        tables.final_table(cheaper(made(names)), "total"), claims.SAVES, -1.0, below=1.0
    )
    assert ahead["lisa"] is True and ahead["lws-static"] is False
    behind = {name: -0.05 for name in claims.SAVES}
    assert claims.check_saves(cheaper(made(names, **behind)), most=1).word is Word.FAILS
    fine = {"lws-static": 0.1}
    table = cheaper(made(names, **fine))
    assert claims.check_saves(table, most=1).word is Word.HOLDS
    dear = table.samplers == "lisa"
    found = claims.check_saves(
        table.assign(backward=table.backward * (1 + 8 * dear)), 1
    )
    assert found.word is Word.PARTLY and "LISA" not in found.part
    low = (table.samplers == "low-rank") & (table.matched == "total")
    found = claims.check_saves(table.assign(accuracy=table.accuracy - 0.1 * low), 1)
    assert found.word is Word.PARTLY and "LISA" in found.part
    assert ENTRIES["low-rank"].label not in found.part


def test_a_gradient_elsewhere_is_judged_at_as_many_updates():
    table = made(("sgd", "sam", "extragradient"))
    table.loc[table.samplers == "extragradient", "accuracy"] += 0.05
    assert claims.check_elsewhere(table).word is Word.HOLDS
    table.loc[(table.samplers == "sam") & (table.matched == "core"), "accuracy"] -= 0.1
    assert claims.check_elsewhere(table).word is Word.PARTLY


def transformers(core, full, steps=0.0):
    """Return a table in which joint training gains so many points.

    Twice as many steps give the core alone `steps` of them.
    """
    shares = {"joint": 1.0, "core alone": 0.0, "full alone": 0.0, "joint, total": 0.5}
    shares |= {"core alone, twice": 0.0, "joint, the full one's rate": 1.5}
    sizes = {"ranks": (1, 4), "train_size": (200, 1000)}
    table = tiny.grid(**sizes, seed=range(5), scheme=shares)
    for name, least, gain in (("core", 0.6, core), ("full", 0.8, full)):
        gained = table.scheme.map(shares) * (gain + 0.001 * table.seed)
        table[name] = least + gained / 100
    table.loc[table.scheme == "core alone, twice", "core"] += steps / 100
    return table


def test_joint_training_is_judged_seed_by_seed():
    table = transformers(core=3, full=-2)
    gains = tables.joint_gains(table, "core")
    assert len(gains) == 20 and gains.gain.mean() == pytest.approx(3, abs=0.01)
    half = tables.joint_gains(table, "full", "joint, total")
    assert half.gain.mean() == pytest.approx(-1, abs=0.01)
    assert claims.check_core(table).word is Word.HOLDS
    found = claims.check_full(table, most=1)
    assert found.word is Word.FAILS and "−2.0 ± 0.0 (−3.0 ± 0.0)" in found.numbers
    assert claims.check_full(transformers(3, -0.5), most=1).word is Word.HOLDS
    table.loc[(table.ranks == 1) & (table.scheme == "joint"), "core"] -= 0.1
    found = claims.check_core(table)
    assert found.word is Word.PARTLY and "4 (200)" in found.part
    assert "rank 1" not in found.part


def test_joint_training_is_more_than_as_many_steps():
    """What more steps of the core alone give is no gain of joint training."""
    found = claims.check_core(transformers(core=3, full=0, steps=4))
    assert found.word is Word.FAILS and "−1.0 ± 0.0 (+3.0 ± 0.0)" in found.numbers
    assert claims.check_core(transformers(3, 0, steps=2)).word is Word.HOLDS


def test_sure_losses_are_named():
    table = transformers(core=0, full=-2)
    table.loc[(table.ranks == 1) & (table.scheme == "joint"), "full"] += 0.02
    gains = tables.joint_gains(table, "full")
    assert tables.surely_below(gains, -1.0) == [(4, 200), (4, 1000)]
    assert tables.places([(4, 1000)]) == "at rank 4 with 1,000 images"
    assert tables.places(tables.surely_below(gains, -9.0)) == "nowhere"
    assert tables.mean_gain(gains) == "−1.0 ± 0.0"


def growing(power):
    """Return whole gradients that grow as ρ to a power, at two perturbations."""
    table = tiny.grid(rhos=(0.0, 0.1, 0.5, 1.0), radius=(0.0, 0.3), seed=range(4))
    full = (1 + table.radius) * (1 + 0.01 * table.seed) * table.rhos**power
    table["full"] = full.where(table.rhos > 0, 99.0)
    # else all ratios of seeds are equal, and no interval is of any length
    table.full *= 1 + 0.002 * ((table.seed * (1 + 10 * table.rhos)) % 3)
    return table


@pytest.mark.parametrize(
    ("power", "expected"),
    [(-0.5, Word.HOLDS), (0.0, Word.UNDECIDED), (0.5, Word.FAILS), (-1.1, Word.FAILS)],
)
def test_gradients_grow_with_the_mask_but_not_by_more_than_its_inverse(power, expected):
    found = claims.check_growth(growing(power))
    assert found.word is expected
    if power == -0.5:
        assert "ρ = 0.1: 3.2 to 3.2 of 10; ρ = 0.5: 1.4 to 1.4 of 2" in found.numbers


def test_one_perturbation_is_enough_to_fail():
    table = growing(-0.5)
    table.loc[(table.rhos == 0.5) & (table.radius == 0.3), "full"] *= 2
    assert claims.check_growth(table).word is Word.FAILS


def test_gradients_grow_from_each_mask_to_the_next():
    table = growing(-0.5)
    table.loc[table.rhos == 0.1, "full"] *= 0.43  # 1.36 of ρ = 1, below 1.41 at 0.5
    assert claims.check_growth(table).word is Word.FAILS


def test_measured_means_are_below_what_is_proved():
    table = read_study(claims.BOUND).table
    means = table.groupby(["rhos", "radius"]).mean()
    assert (means.masked < means.bound).all()
    promised = means.loc[means.index.get_level_values("rhos") > 0]
    assert (promised.full < promised.full_bound).all()


def test_every_sampler_of_a_claim_is_in_the_table():
    assert {*claims.SAVES, *claims.ELSEWHERE} < set(ENTRIES)


def test_the_recorded_table_is_what_it_says():
    found = read_study(claims.SAMPLERS)
    last = tables.final_table(found.table, "total")
    assert set(last.samplers) == set(ENTRIES)
    assert last.accuracy.notna().all()
    costs = last.groupby("samplers").flops.mean()
    assert costs["sgd"] == 1 and costs["lws-static"] < costs["lws-step"] < 1
    assert set(costs[costs < 0.99].index) == set(claims.SAVES)
    assert costs["sam"] == costs["extragradient"] == pytest.approx(1)
    core = tables.final_table(found.table, "core")
    assert core[core.samplers == "sam"].flops.tolist() == pytest.approx([2] * 3)
    grows = found.table.groupby(["samplers", "seed", "matched"]).seconds
    assert grows.apply(lambda seconds: seconds.is_monotonic_increasing).all()


def test_no_best_rate_of_the_table_is_an_end_of_the_grid():
    """What the page says of samplers, and of Transformers."""
    found = read_study(claims.SAMPLERS)
    lows, highs = found.settings.lrs[0], found.settings.lrs[-1]
    for name, own in found.table.groupby("samplers"):
        rates = own.lr / ENTRIES[name].lr_factor
        assert lows < rates.min() * 0.999 and rates.max() * 1.001 < highs, name
    table = read_study(claims.TRANSFORMER)
    lrs = table.settings.lrs
    assert not table.table.lr.isin([lrs[0], lrs[-1]]).any()


def test_the_explorer_shows_masks_and_words_of_the_table(browser):
    cells = tables.sampler_cells(made())
    explorer = sampler_explorer(cells, start="SAM")
    assert explorer.chosen("sampler") == "SAM"
    with chromium.widget(browser, explorer) as page:
        for matched, name in ((1, 2), (0, 1), (0, 0)):
            page.locator("input[type=radio]").nth(3 + matched).check()
            page.locator("input[type=radio]").nth(name).check()
            cell = explorer.data["cells"][f"{matched},{name}"]
            assert page.locator(".lr-said").inner_text() == cell["words"]
            drawn = page.locator("rect.lr-updated").evaluate_all(
                "all => all.map(each => each.getAttribute('fill-opacity'))"
            )
            assert [100 * float(each) for each in drawn] == [50, 100, 100, 100]
            assert page.locator("circle.lr-dot").count() == 3
        page.keyboard.press("ArrowRight")
        assert "top 2" in page.locator(".lr-said").inner_text()
        page.locator("rect.lr-updated").first.hover()
        assert "layer 1, to step 10: 50 %" in page.locator(".lr-tip").first.inner_text()


def test_explored_numbers_are_the_tables():
    table = made()
    last = tables.final_table(table, "core")
    cells = {
        (cell["label"], cell["matched"]): cell for cell in tables.sampler_cells(table)
    }
    assert len(cells) == 6
    sam = cells["SAM", "core steps"]
    rows = last[last.samplers == "sam"]
    assert sam["accuracy"] == pytest.approx(rows.accuracy.mean(), abs=0.01)
    assert sam["flops"] == pytest.approx(rows.flops.mean(), abs=0.001)
    assert sam["updated"] == ["50 100", "100 100"] and sam["steps"] == 20
    assert "accuracy 92.0 ± 0.2 % (n = 3)" in sam["words"]


def test_the_explorer_is_light():
    cells = tables.sampler_cells(read_study(claims.SAMPLERS).table)
    assert len(str(sampler_explorer(cells).get_state()["data"])) < 60_000
