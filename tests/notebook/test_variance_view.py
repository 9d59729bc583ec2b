"""What the explorer of starts shows is what the recorded studies hold."""

import json

import numpy as np
import pytest

from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.notebook import variance_view
from lazyrich_helpers.notebook.variance_view import variance_slider
from lazyrich_helpers.papers.init_variance.claims import HISTOGRAMS, STARTED
from lazyrich_helpers.papers.init_variance.nets import INITS, NAMES
from lazyrich_helpers.papers.init_variance.tables import with_share
from lazyrich_helpers.papers.init_variance.theory import correlations
from tests import browser as chromium


@pytest.fixture(scope="module")
def tables():
    histograms, started = read_study(HISTOGRAMS), read_study(STARTED)
    return histograms.table, with_share(started.table), histograms.settings


@pytest.fixture(scope="module")
def explorer(tables):
    histograms, shares, settings = tables
    names = {start: NAMES[start] for start in INITS}
    theory = 1 - correlations(settings.depth)
    limit = settings.limit
    return variance_slider(histograms, shares, names=names, theory=theory, limit=limit)


def test_data_are_the_tables(explorer, tables):
    histograms, shares, settings = tables
    data = explorer.data
    assert data["layers"] == list(settings.layers) and explorer.chosen("stop") == "20"
    assert [one["name"] for one in data["starts"]] == [NAMES[s] for s in INITS]
    for start, one in zip(INITS, data["starts"], strict=True):
        rows = histograms[histograms.inits == start]
        for stop, layer in enumerate(data["layers"]):
            counts = np.asarray(one["counts"][stop])
            assert counts.shape == (variance_view.NUM_UNITS, settings.num_bins)
            bins = rows[rows.layer == layer].filter(like="bin_").to_numpy()
            assert (counts == bins[: len(counts)]).all()
            own = shares[(shares.inits == start) & (shares.layer == layer)].share
            assert one["share"][stop] == pytest.approx(100 * own.mean(), abs=0.006)
    assert data["theory"][0] == 100 and data["theory"][1] == pytest.approx(68.17)


def test_it_is_small(explorer):
    assert len(json.dumps(explorer.data)) < 60_000


def test_every_stop_and_start_shows_its_number(browser, explorer):
    with chromium.widget(browser, explorer) as page:
        slider, said = page.locator("input[type=range]"), page.locator(".lr-said")
        for one in explorer.data["starts"]:
            page.get_by_label(one["name"], exact=True).check()
            slider.focus()
            page.keyboard.press("Home")
            for stop, layer in enumerate(explorer.data["layers"]):
                expected = f"From {one['name']}, layer {layer}: the sample variance is "
                expected += f"{one['share'][stop]:.1f} % of the total."
                assert said.inner_text() == expected
                assert page.locator(".lr-title").first.inner_text().endswith(f"{layer}")
                page.keyboard.press("ArrowRight")
        curves = page.locator(".lr-panel").first.locator("path.lr-line")
        assert curves.count() == len(explorer.data["colors"])


def test_without_a_study_it_is_a_sentence(tables):
    histograms, shares, _ = tables
    options = {"names": NAMES, "theory": [1.0], "limit": 3.0}
    for pair in ((histograms.iloc[:0], shares), (histograms, shares.iloc[:0])):
        assert "Not computed yet" in variance_slider(*pair, **options).data
