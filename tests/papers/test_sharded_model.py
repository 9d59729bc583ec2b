"""A step on paper: bytes, operations, time by hand; and what an explorer is given."""

import dataclasses
import math

import pandas as pd
import pytest

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.notebook.devices_view import devices_slider
from lazyrich_helpers.papers.sharded import claims, model, plots, worker
from lazyrich_helpers.papers.sharded.claims import CURVES, SAME, ScalingSettings
from tests import tiny

CLUSTER = model.Cluster(
    rate=1000.0, bandwidth=10.0, latency=0.5, memory=1e4, batch_size=2
)
NET = model.OnPaper(label="small", sizes=[30, 20, 10], flops=[[60], [40], [20]])


def test_data_parallel_by_hand():
    assert NET.layout(CLUSTER) == "dp"
    computes, sends = model.seconds_of_step(NET, CLUSTER, 4, {0, 1, 2})
    # forward 120; backward 120 for weights, 60 for inputs of all but the lowest
    assert computes == pytest.approx(2 * (120 + 120 + 60) / 1000)
    # a ring of four: 2 · 3/4 of 4 bytes of 60 parameters; 2 log₂ 4 messages
    assert sends == pytest.approx(2 * 0.75 * 4 * 60 / 10 + 2 * 2 * 0.5)
    computes, sends = model.seconds_of_step(NET, CLUSTER, 4, {2})
    assert computes == pytest.approx(2 * (120 + 20) / 1000)
    assert sends == pytest.approx(2 * 0.75 * 4 * 10 / 10 + 2)
    assert model.seconds_of_step(NET, CLUSTER, 1, {2})[1] == 0


def test_what_does_not_fit_has_sharded_parameters():
    small = dataclasses.replace(CLUSTER, memory=60 * model.STATE_BYTES - 1)
    assert NET.layout(small) == "fsdp"
    _, sends = model.seconds_of_step(NET, small, 2, {2})
    # fetched: all three, then layers 1 and 2 again; scattered: layer 2
    assert sends == pytest.approx((60 + 30 + 10) * 4 / 2 / 10 + (3 + 2 + 1) * 0.5)


def test_the_mean_lies_between_the_ends():
    ends = [model.mean_seconds(NET, CLUSTER, 8, rho) for rho in (0, 1)]
    half = model.mean_seconds(NET, CLUSTER, 8, 0.5)
    assert half == pytest.approx([sum(pair) / 2 for pair in zip(*ends, strict=True)])


def test_the_papers_networks_are_counted_and_the_last_outgrows_a_device():
    vgg, one, two = model.networks()
    assert sum(vgg.sizes) == 9_750_922
    assert sum(one.sizes) == 100_000 * 785 + 10 * 100_001
    assert sum(two.sizes) == sum(one.sizes) + 100_000 * 100_001
    layouts = [net.layout(model.Cluster()) for net in (vgg, one, two)]
    assert layouts == ["dp", "dp", "fsdp"]


def test_speed_is_over_one_device_and_frozen_layers_never_slow_it_down():
    table = model.model_table((0.1, 1.0))
    total = table.computes + table.sends
    alone = table.speedup * total / table.devices
    assert alone.groupby(table.network).nunique().max() <= 2  # but for rounding
    pairs = table.assign(total=total).pivot(
        index=["network", "devices"], columns="rho", values="total"
    )
    assert (pairs[0.1] < pairs[1.0]).all()


def test_an_explorer_has_a_cell_for_all_it_can_be_set_to():
    table = model.model_table((0.1, 1.0), (1e9, 25e9))
    made = devices_slider(table)
    assert [made.chosen(name) for name in ("devices", "rho", "bandwidth")] == [
        "256",
        "0.1",
        "25 GB/s",
    ]
    labels = [len(c["labels"]) for c in made.data["controls"]]
    assert len(made.data["cells"]) == math.prod(labels[1:])
    cell = made.data["cells"][f"{made.state['network']},1,0"]
    row = table.query("network == 'w = 100,000, d = 1' and rho == 0.1")
    row = row[(row.bandwidth == 25e9) & (row.devices == 256)].iloc[0]
    assert cell["sends"][made.state["devices"]] == pytest.approx(1e3 * row.sends, 1e-3)
    assert made.data["full"] == 1 and cell["layout"] == "dp"


def test_one_process_and_two_are_timed_in_turn_in_every_round(monkeypatch):
    order = []

    class Timed:
        full = frozenset({0, 1})

        def __init__(self, width, depth, layout, batch_size):
            self.own = f"{layout or 'one'} {batch_size}"

        def take(self, trainable):
            order.append(self.own)
            return 0.001 * len(order)

    monkeypatch.setattr(worker, "Steps", Timed)
    monkeypatch.setattr(worker, "is_first", lambda: True)
    monkeypatch.setattr(worker.torch.distributed, "barrier", lambda: None)
    settings = ScalingSettings(
        widths=(8,), layouts=("dp",), num_steps=2, num_rounds=3, batch_size=10
    )
    rows = worker.scaling(settings, 8)
    assert order == ["one 10"] * 2 + ["dp 10"] * 2 + ["one 10"] * 2 + ["dp 20"] * 2 + (
        order[:8] * 2
    )
    assert [row["round"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert [row["kind"] for row in rows] == ["strong", "weak"] * 3
    # the shortest of each two steps, in milliseconds
    assert [row["alone"] for row in rows] == pytest.approx([1, 5, 9, 13, 17, 21])
    assert [row["shared"] for row in rows] == pytest.approx([3, 7, 11, 15, 19, 23])


def test_rounds_are_drawn_from_the_least_to_the_most(ax):
    table = tiny.grid(widths=(256, 512), shared=(1.0, 2.0, 4.0))
    table = table.assign(layout="dp", kind="weak", alone=1.0)
    plots.scaling(table, ax, "weak")
    (bars,) = ax.containers
    line, _, (segments,) = bars.lines
    assert line.get_ydata().tolist() == [1.0, 1.0]
    ends = [s[:, 1].tolist() for s in segments.get_segments()]
    assert ends == [[0.5, 2.0]] * 2


def test_the_recorded_2d_mesh_is_not_tensor_parallel_once_more():
    found = read_study(CURVES)
    assert found.settings.processes_2d == 4  # of two it would be 1 × 2
    for name, own in found.table.groupby("networks"):
        apart = own.pivot(index="epoch", columns="layout", values="apart")
        assert (apart["2d"] != apart["tp"]).any(), name


def curve(apart, name="a"):
    rows = [
        {"networks": name, "layout": layout, "epoch": n, "loss": 1.0, "apart": value}
        for layout, values in apart.items()
        for n, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("apart", "word", "part"),
    [
        ({"dp": [0, 1e-6], "tp": [0, 9e-6]}, Word.HOLDS, ""),
        ({"dp": [0, 1e-6], "tp": [0, 2e-5]}, Word.PARTLY, "for 1 of 2 trainings"),
        ({"dp": [1e-4, 0]}, Word.FAILS, ""),
        ({"dp": [0, math.nan]}, Word.FAILS, ""),
    ],
)
def test_curves_are_the_same_if_no_epoch_is_beyond_the_line(apart, word, part):
    found = SAME.verdict_on(curve(apart))
    assert (found.word, found.part) == (word, part)
    assert SAME.verdict_on(pd.DataFrame()).word is Word.NOT_RUN


def test_the_whole_record_is_asked(monkeypatch):
    (found,) = claims.verdicts()
    assert "(n = 8 trainings by several processes)" in found.numbers
    lacking = dataclasses.replace(read_study(CURVES), missing=["vgg11"])
    monkeypatch.setattr(claims, "read_study", lambda study: lacking)
    assert claims.verdicts()[0].word is Word.NOT_RUN


def test_where_there_is_fp64_it_decides_and_fp32_is_told():
    exact, rounded = curve({"dp": [0, 1e-8]}, "a in fp64"), curve({"dp": [0, 1e-3]})
    found = SAME.verdict_on(pd.concat([exact, rounded]))
    assert found.word is Word.HOLDS
    assert "1.0e-08 nats" in found.numbers
    assert "in fp32" in found.numbers and "1.0e-03" in found.numbers
    assert "within the line in 0 of 1 trainings" in found.numbers


def test_one_process_that_is_rounded_anew_is_told_and_not_judged():
    exact = curve({"dp": [0, 1e-8], "rounded": [0, 1e-3]}, "a in fp64")
    single = curve({"dp": [0, 1e-6], "tp": [0, 1e-4], "rounded": [0, 3e-2]})
    found = SAME.verdict_on(pd.concat([exact, single]))
    assert found.word is Word.HOLDS and "n = 1 trainings" in found.numbers
    assert "within the line in 1 of 2 trainings" in found.numbers
    assert "One process is 3.0e-02 from itself in fp32" in found.numbers
