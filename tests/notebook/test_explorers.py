"""What the browser shows of an explorer is what Python holds."""

import dataclasses
import json

import numpy as np
import pytest
from playwright.sync_api import Page

from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.lws.schedules import Full, TopK, TopKAllBottoms
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.models.spans import spans
from lazyrich_helpers.notebook.chapter import recorded
from lazyrich_helpers.notebook.heat_maps import heat_map_slider
from lazyrich_helpers.notebook.live import ReinitExplorer
from lazyrich_helpers.notebook.live_schedules import ScheduleExplorer
from lazyrich_helpers.notebook.regions_view import regions_slider
from lazyrich_helpers.notebook.reinit_view import reinit_slider
from lazyrich_helpers.notebook.schedule_view import probability_slider
from lazyrich_helpers.papers.grokalign.claims import REGIONS
from lazyrich_helpers.papers.grokalign.regions import image_places
from lazyrich_helpers.reinit.reinitialization import movement_order, num_active
from lazyrich_helpers.runner.kept import load_trained
from tests import browser as chromium
from tests import tiny


def accuracies(page: Page) -> dict[str, list[float]]:
    """Return what is shown at γ and at ε, by width; NaN for a dash."""
    rows = page.locator(".lr-values").first.locator("tbody tr").all()
    texts = [row.locator("th, td").all_inner_texts() for row in rows]
    return {
        first.removeprefix("● w = "): [
            float(text.removesuffix(" %").replace("–", "nan")) for text in rest
        ]
        for first, *rest in texts
    }


def position(page: Page, place: int) -> int:
    return int(page.locator("input[type=range]").nth(place).input_value())


def press(page: Page, place: int, *keys: str) -> None:
    page.locator("input[type=range]").nth(place).focus()
    for key in keys:
        page.keyboard.press(key)


@pytest.fixture
def results(store):
    return tiny.results(store, *tiny.WIDTHS)


def test_every_stop_shows_what_python_holds(browser, results):
    explorer = reinit_slider(results.records)
    setting = explorer.data["settings"][""]
    with chromium.widget(browser, explorer) as page:
        press(page, 0, "Home")
        for place, label in enumerate(explorer.data["controls"][0]["labels"]):
            assert position(page, 0) == position(page, 1) == place  # tied
            header = page.locator(".lr-values").first.locator("thead th")
            assert header.nth(1).inner_text() == f"γ = {label} reset"
            for width, shown in accuracies(page).items():
                values = setting["γ"][width][place], setting["ε"][width][place]
                assert shown == pytest.approx(values, abs=0.051)
            press(page, 0, "ArrowRight")


def test_recorded_explorers_are_light():
    """What a page carries of each, in bytes: its data, script and style."""
    small = {"widths": [16], "precision": "fp32"}
    found = [
        reinit_slider([*recorded("figure-2").records, *recorded("figure-3").records]),
        heat_map_slider(recorded("figure-5")),
        probability_slider(recorded("figure-10-vgg5", seeds=[0, 1, 2], **small)),
    ]
    for explorer in found:
        state = explorer.get_state()
        parts = json.dumps([state[name] for name in ("data", "_esm", "_css")])
        assert len(parts) < 62_000


def test_gamma_and_epsilon_move_apart(browser, results):
    with chromium.widget(browser, reinit_slider(results.records)) as page:
        page.locator("input[type=checkbox]").uncheck()
        first = position(page, 1)
        press(page, 0, "End")
        assert (position(page, 0), position(page, 1)) == (39, first)
        page.locator("input[type=checkbox]").check()
        assert position(page, 1) == 39
        press(page, 1, "Home")
        assert position(page, 0) == 0


@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.1, 0.5, 0.9])
def test_layers_of_the_most_active_weights_are_nearly_the_true_ones(
    browser, store, fraction
):
    """The page reckons from histograms with four bins a decade."""
    (record,) = tiny.results(store, tiny.CONFIG).records
    trained = load_trained(record, store, "cpu")
    order = movement_order(trained.initial, trained.final)
    weights = [span for span in spans(trained.network) if span.is_weight]
    places = [range(*span.place.indices(len(order))) for span in weights]
    ranked = [i for i in order.tolist() if any(i in place for place in places)]
    active = ranked[: num_active(fraction, len(ranked))]
    true = [sum(i in place for i in active) for place in places]
    layers = reinit_slider([record]).data["settings"][""]["moves"]["12"]
    with chromium.widget(browser, reinit_slider([record])) as page:
        found = page.evaluate("(asked) => script.cut(...asked)", [layers, fraction])
    assert sum(found["counts"]) == pytest.approx(fraction * len(ranked), rel=0.01)
    assert found["counts"] == pytest.approx(true, abs=0.05 * len(active) + 1)


def test_live_values_replace_the_recorded_ones(browser, results, store):
    networks = [load_trained(r, store, "cpu") for r in results.records]
    explorer = ReinitExplorer(networks, results.records)
    place = explorer.data["stops"].index(0.354813)
    explorer.state = {**explorer.state, "γ": place, "ε": place}
    explorer.settle()
    with chromium.widget(browser, explorer) as page:
        for width, shown in accuracies(page).items():
            values = [explorer.live[symbol][width] for symbol in "γε"]
            assert shown == pytest.approx(values, abs=0.051)
        press(page, 0, "ArrowRight")  # for which Python has not answered yet
        assert np.isnan([*accuracies(page).values()]).all()


def test_schedules_show_their_words_and_draws(browser, store):
    schedules = [Full(), TopK(k=1), *(TopKAllBottoms(k=1, rho=r) for r in (0.1, 0.5))]
    longer = tiny.config(num_epochs=12)  # evaluated after 5, 10 and 12
    runs = [dataclasses.replace(longer, updates=s) for s in schedules]
    explorer = probability_slider(tiny.results(store, *runs))
    assert explorer.data["controls"][0]["labels"] == ["0", "0.1", "0.5", "1"]
    with chromium.widget(browser, explorer) as page:
        press(page, 0, "Home")
        for place in range(4):
            cell = explorer.data["cells"][f"0,0,{place}"]
            assert page.locator(".lr-said").inner_text() == cell["words"]
            assert page.locator(".lr-panel").count() == 3 and len(cell["curve"]) == 3
            drawn = page.locator(".lr-updated").evaluate_all(
                "rows => rows.map(row => row.getAttribute('d').split('M').length - 1)"
            )
            plans = [cell["plans"][ord(code) - ord("a")] for code in cell["epochs"]]
            assert drawn == [sum(int(plan[i]) for plan in plans) for i in range(3)]
            press(page, 0, "ArrowRight")
    live = ScheduleExplorer(tiny.results(store, *runs), "cpu")
    with chromium.widget(browser, live) as page:
        assert page.locator(".lr-said").inner_text() == live.live["cell"]["words"]


def test_heat_maps_change_with_buttons_and_slider(browser, store):
    results = tiny.results(store, *tiny.WIDTHS, measures=(Activity,))
    explorer = heat_map_slider(results)
    with chromium.widget(browser, explorer) as page:
        for row, stop, key in ((0, 1, "End"), (2, 1, "End"), (2, 0, "Home")):
            page.locator("input[type=radio]").nth(row).check()
            press(page, 0, key)
            images = page.locator(".lr-picture img")
            sources = [image.get_attribute("src") for image in images.all()]
            frame = explorer.data["frames"][f"{row},{stop}"]
            assert sources == [image["source"] for image in frame["images"]]


def test_pointing_shows_values_and_arrow_keys_stay_inside(browser, results):
    with chromium.widget(browser, reinit_slider(results.records)) as page:
        page.locator(".lr-panel svg").first.hover(position={"x": 200, "y": 60})
        assert "w = 12: " in page.locator(".lr-tip").first.inner_text()
        outside = "window.seen = 0; document.onkeydown = () => window.seen++"
        page.evaluate(f"() => {{ {outside} }}")
        press(page, 0, "ArrowRight")
        assert page.evaluate("window.seen") == 0
        names = page.locator("input").evaluate_all(
            "all => all.map(i => i.labels.length)"
        )
        assert set(names) == {1}


def test_regions_show_their_picture_and_words(browser):
    found = read_study(REGIONS)
    explorer = regions_slider(found.table, image_places(found.settings))
    with chromium.widget(browser, explorer) as page:
        for row in (1, 0):
            page.locator("input[type=radio]").nth(row).check()
            press(page, 0, "Home")
            for place in range(len(found.settings.moments)):
                frame = explorer.data["frames"][f"{row},{place}"]
                assert page.locator(".lr-said").inner_text() == frame["words"]
                shown = page.locator("svg image").get_attribute("href")
                assert shown == frame["source"]
                press(page, 0, "ArrowRight")
        assert page.locator("circle.lr-place").count() == 3
