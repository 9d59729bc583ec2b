"""What a waiting person reads."""

import dataclasses

import pytest

from lazyrich_helpers.data.remaining import remaining
from lazyrich_helpers.experiments.recipes import states
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.lws.schedules import TopKAllBottoms
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.models.initialization import LITERAL_GAIN, XavierNormal
from lazyrich_helpers.models.weights_file import WeightsFile
from lazyrich_helpers.runner import progress
from lazyrich_helpers.runner.progress import Bar, Lines, counted, duration, table
from lazyrich_helpers.training.optimizers import SGD
from lazyrich_helpers.training.run_config import label
from tests import tiny

DONE = Record(
    tiny.CONFIG,
    status="ok",
    curves={"num_correct": [None, 250]},
    times={"total": 3.0},
    origin={"num_test": 500},
)
FAILED = Record(tiny.training(seed=1), status="failed: RuntimeError: why")


def test_a_label_tells_a_run_from_its_neighbours():
    assert label(tiny.CONFIG) == "digits relu_net w=12 d=2 lr=0.03 seed=0"
    neighbours = [tiny.CONFIG, tiny.training(seed=1), tiny.config(optimizer=SGD())]
    assert len(set(map(label, neighbours))) == 3
    sparse = tiny.config(updates=TopKAllBottoms(k=1, rho=0.1))
    assert label(sparse).endswith("lr=0.03 top 1 all bottoms rho=0.1 seed=0")
    other = tiny.config(init=WeightsFile(file="a.pt", sha256="1" * 8))
    assert label(other) == "digits relu_net w=12 d=2 lr=0.03 from a.pt seed=0"
    literal = tiny.config(init=XavierNormal(gain=LITERAL_GAIN))
    assert label(literal) == "digits relu_net w=12 d=2 lr=0.03 gain=0.707 seed=0"
    other = tiny.config(data=remaining(tiny.CONFIG.data, 100))
    assert label(other) == "digits (rest) relu_net w=12 d=2 lr=0.03 seed=0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (8.4, "8 s"), (99, "99 s"), (100, "2 min"), (6000, "1.7 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_lines_count_runs_and_say_how_each_ended(capsys):
    lines = Lines()
    lines.begin([DONE.config, FAILED.config])
    lines.advance(tiny.CONFIG, 1)
    lines.finish(DONE)
    lines.finish(FAILED)
    lines.end()
    another = Lines()
    another.begin([DONE.config])
    another.finish(DONE)  # measured again: without an epoch
    first, second, again = capsys.readouterr().out.splitlines()
    assert first.startswith("[1/2] digits relu_net") and "50.0% test accuracy" in first
    assert again.startswith("[1/1]") and again.endswith("about 0 s left")
    assert second.startswith("[2/2]") and "failed: RuntimeError: why" in second


@pytest.fixture
def clock(monkeypatch):
    """A list whose one entry is the time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_long_run_is_heard_of(capsys, clock):
    lines, config = Lines(), tiny.training(num_epochs=100)
    lines.begin([config])
    for epoch in range(1, 51):
        clock[0] += 1.0
        lines.advance(config, epoch)
    (line,) = capsys.readouterr().out.splitlines()
    assert "epoch 31; about 69 s left" in line


def test_what_need_not_be_done_is_left_out(capsys, clock):
    lines = Lines()
    lines.begin([DONE.config, FAILED.config, tiny.training(seed=2)])
    clock[0] = 10.0
    lines.advance(DONE.config, 3)  # gone on with, for its last epoch
    lines.finish(DONE)
    assert capsys.readouterr().out.endswith("about 60 s left\n")
    lines.advance(FAILED.config, 1)
    lines.advance(FAILED.config, 2)
    lines.advance(FAILED.config, 1)  # another process begins it anew
    clock[0] = 20.0
    lines.finish(FAILED)
    assert capsys.readouterr().out.endswith("about 30 s left\n")
    lines.skip(tiny.training(seed=2))
    assert lines.done == pytest.approx(lines.total)


def test_output_that_nobody_reads_stops_nothing(monkeypatch):
    def closed(*args, **options):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", closed)
    lines = Lines()
    lines.begin([DONE.config])
    lines.finish(DONE)


def test_a_bar_writes_to_stderr_only(capsys):
    pytest.importorskip("tqdm")
    for runs in ([], [DONE.config]):  # nothing to do is no division by zero
        bar = Bar()
        bar.begin(runs)
        for config in runs:
            bar.advance(config, 1)
            bar.finish(DONE)
        bar.end()
    assert capsys.readouterr().out == ""


def table_of(store, *configs) -> list[str]:
    return list(table(states(tiny.recipe(*configs, measures=(Accuracy,)), store)))


def test_words_are_counted_in_their_order():
    words = ["missing", "recorded", "failed", "missing"]
    assert counted(words) == "1 recorded, 1 failed, 2 missing"
    assert counted([]) == ""


def test_the_table_has_a_line_for_each_setting(store):
    tiny.finish(store, *tiny.SEEDS, measures=(Accuracy,))
    many, one = table_of(store, *tiny.SEEDS, tiny.training(seed=7), tiny.WIDTHS[0])
    percents = [
        100 * r.curves["num_correct"][-1] / r.origin["num_test"]
        for r in (store.read(config.run_id) for config in tiny.SEEDS)
    ]
    mean = sum(percents) / 3
    spread = (sum((p - mean) ** 2 for p in percents) / 2) ** 0.5
    assert many.split("  ")[1:] == [
        "digits relu_net w=12 d=2 lr=0.03",
        f"3/4, 1 missing, {mean:.2f} ± {spread:.2f} %, 0 s each",
    ]
    assert one.split()[-3:] == ["0/1,", "1", "missing"]


def test_divergence_is_a_result_without_accuracy(store):
    tiny.finish(store, tiny.CONFIG, measures=(Accuracy,))
    (alone,) = table_of(store)
    assert " 1/1, " in alone and "±" not in alone, "one run has no spread"
    record = store.read(tiny.CONFIG.run_id)
    store.write(dataclasses.replace(record, status="diverged"))
    assert table_of(store)[0].endswith("1/1, 1 diverged")
