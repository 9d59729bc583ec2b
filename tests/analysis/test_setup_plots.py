import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from lazyrich_helpers.analysis.figures import setup as setup_plots
from lazyrich_helpers.models.initialization import xavier_std


@pytest.fixture
def curves() -> pd.DataFrame:
    """Two widths, two seeds, two epochs, the test images seen after the second."""
    rows = [
        (
            width,
            seed,
            epoch,
            1.0 / epoch + seed,
            0.8 + 0.1 * seed if epoch == 2 else None,
        )
        for width in (10, 100)
        for seed in (0, 1)
        for epoch in (1, 2)
    ]
    table = pd.DataFrame(
        rows, columns=["width", "seed", "epoch", "train_loss", "accuracy"]
    )
    return table.assign(status="ok", run_id=table.width + table.seed)


def test_initial_weights_are_compared_with_their_own_law():
    generator = torch.Generator().manual_seed(0)
    std = xavier_std(torch.empty(200, 100))
    weight = torch.randn(200, 100, generator=generator) * std
    fig, ax = plt.subplots()
    setup_plots.initial_weights({200: weight}, {200: std}, ax)
    (law,) = ax.lines
    x, density = (np.asarray(values) for values in law.get_data())
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
    heights = ax.patches[0].get_data().values  # the histogram
    middle = (density[1:] + density[:-1]) / 2
    assert np.abs(heights - middle).max() < 0.1 * middle.max()
    plt.close(fig)


def test_training_curves_are_means_over_seeds(curves):
    fig = setup_plots.training_curves({"lr": curves})
    upper, lower = fig.axes
    assert list(upper.lines[0].get_ydata()) == pytest.approx([1.5, 1.0])
    assert list(lower.lines[0].get_xdata()) == [2]
    assert list(lower.lines[0].get_ydata()) == pytest.approx([85])
    plt.close(fig)


def test_training_curves_do_not_mix_learning_rates(curves):
    mixed = pd.concat([curves.assign(lr=0.1), curves.assign(lr=0.01)])
    with pytest.raises(ValueError, match="lr must be one value"):
        setup_plots.training_curves({"lr": mixed})


def test_learning_rates_have_a_panel_per_depth_and_mark_the_chosen_one():
    rows = [
        (depth, width, lr, seed, 0.5 + 0.1 * seed)
        for depth in (1, 4)
        for width in (10, 100)
        for lr in (0.1, 0.01)
        for seed in (0, 1)
    ]
    runs = pd.DataFrame(rows, columns=["depth", "width", "lr", "seed", "test_accuracy"])
    runs["status"] = "ok"
    fig = setup_plots.learning_rate_curves(runs, best={1: 0.1, 4: 0.01})
    assert [ax.get_title() for ax in fig.axes] == ["1 hidden layer", "4 hidden layers"]
    for ax, best in zip(fig.axes, (0.1, 0.01), strict=True):
        narrow, *_, marked = ax.lines
        assert list(narrow.get_xdata()) == [0.01, 0.1]
        assert list(narrow.get_ydata()) == pytest.approx([55, 55])
        assert set(marked.get_xdata()) == {best}
    plt.close(fig)


def test_a_run_that_diverged_is_a_cross_and_part_of_no_mean():
    runs = pd.DataFrame(
        {
            "depth": 1,
            "width": 10,
            "lr": [0.1, 0.1, 0.01],
            "test_accuracy": [0.1, 0.7, 0.9],
            "status": ["diverged", "ok", "ok"],
        }
    )
    fig = setup_plots.learning_rate_curves(runs, best={1: 0.01})
    means, crosses, *_ = fig.axes[0].lines
    assert list(means.get_ydata()) == pytest.approx([90, 70])
    assert crosses.get_marker() == "x" and list(crosses.get_xdata()) == [0.1]
    plt.close(fig)


def test_a_training_that_diverged_ends_in_a_cross(curves):
    wide = curves.width == 100
    lost = wide & (curves.seed == 1)
    curves.loc[lost, "status"] = "diverged"
    curves.loc[lost & (curves.epoch == 2), "train_loss"] = np.nan
    fig = setup_plots.training_curves({"lr": curves})
    _, _, cross = fig.axes[0].lines
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([1], [2.0])
    assert cross.get_marker() == "x"
    plt.close(fig)
