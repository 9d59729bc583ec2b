"""The page with the experiment on one screen runs, and shows what it says."""

import re

import matplotlib.pyplot as plt

from lazyrich_helpers.places import ROOT

PAGE = ROOT / "book" / "minimal.md"


def test_the_experiment_fits_on_a_screen_and_runs():
    (code,) = re.findall(
        r"```\{code-cell\} ipython3\n---.*?---\n(.*?)```", PAGE.read_text(), re.S
    )
    assert len(code.splitlines()) <= 55
    names: dict = {}
    exec(code, names)
    active, lazy = (line.get_ydata() for line in plt.gca().get_lines())
    plt.close("all")
    trained, initial = (
        names["accuracy"](names["network"]),
        names["accuracy"](names["initial"]),
    )
    assert (active[0], active[-1]) == (lazy[-1], lazy[0]) == (trained, initial)
    assert trained > 90 > active[4] and initial < 30
