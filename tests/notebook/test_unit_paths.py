"""The explorer of units shows the table's own numbers, at every stop."""

import re

import pandas as pd
import pytest

from lazyrich_helpers.notebook.unit_paths import unit_paths
from lazyrich_helpers.papers.lazy_training.paths import PATHS, lesson_of, path_point
from tests import browser as chromium

SETTINGS = PATHS.settings("smoke")


@pytest.fixture(scope="module")
def table():
    frames = [path_point(SETTINGS, tau, "cpu").assign(taus=tau) for tau in (0.1, 2.0)]
    return pd.concat(frames)


@pytest.fixture
def explorer(table):
    task = lesson_of(SETTINGS)
    teacher = zip(*task.directions[0].T.tolist(), task.signs[0].tolist(), strict=True)
    return unit_paths(table, teacher)


def test_it_holds_the_tables_numbers(explorer, table):
    for place, tau in enumerate((0.1, 2.0)):
        scale = explorer.data["scales"][place]
        rows = table[table.taus == tau]
        assert len(scale["units"]) == SETTINGS.num_units
        for number, unit in enumerate(scale["units"]):
            own = rows[rows.unit == number]
            assert unit["x"] == pytest.approx(own.x.tolist(), rel=5e-3)
            assert unit["y"] == pytest.approx(own.y.tolist(), rel=5e-3)
            assert unit["up"] == (own.sign.iloc[-1] > 0)
        first = rows[rows.unit == 0]
        assert scale["train"] == pytest.approx(first.train_loss.tolist(), rel=5e-3)
        assert scale["test"] == pytest.approx(first.test_loss.tolist(), rel=5e-3)
        assert scale["reach"] >= rows[["x", "y"]].abs().max().max()
    assert explorer.data["steps"] == sorted(table.step.unique())
    assert explorer.chosen("tau") == "0.1" and explorer.chosen("time") == "200"


def test_the_browser_says_them_at_every_stop(browser, explorer):
    with chromium.widget(browser, explorer) as page:
        tau, time = (page.locator("input[type=range]").nth(i) for i in (0, 1))
        for place in (0, 1):
            tau.focus()
            page.keyboard.press("Home" if place == 0 else "ArrowRight")
            time.focus()
            page.keyboard.press("Home")
            scale = explorer.data["scales"][place]
            for step, train, test in zip(
                explorer.data["steps"], scale["train"], scale["test"], strict=True
            ):
                words = page.locator(".lr-said").inner_text()
                label = explorer.data["controls"][0]["labels"][place]
                assert words.startswith(f"τ = {label}, step {step}: ")
                shown = re.findall(r"loss ([^\s,]+?)[,.](?:\s|$)", words)
                assert [*map(float, shown)] == pytest.approx([train, test])
                page.keyboard.press("ArrowRight")
            marks = page.locator(".lr-panel").first.locator(".lr-dot")
            assert marks.count() == SETTINGS.num_units
