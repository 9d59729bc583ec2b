"""What a chapter says first and last: settings, results, what was run."""

import dataclasses
import os
import signal

import nbformat
import pytest
import torch
import yaml

from lazyrich_helpers.experiments import record
from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.notebook import chapter, provenance
from lazyrich_helpers.runner import execution, memory
from lazyrich_helpers.training import arithmetic
from tests import tiny
from tests.refresh_outputs import ROOT

CHAPTER_4 = ROOT / "book" / "04_active_parameters.ipynb"


def test_environment_budget_outranks_the_cell(monkeypatch):
    monkeypatch.delenv("LAZYRICH_BUDGET", raising=False)
    assert chapter.settings(budget="laptop", device="cpu").budget == "laptop"
    monkeypatch.setenv("LAZYRICH_BUDGET", "smoke")
    assert chapter.settings(budget="laptop", device="cpu").budget == "smoke"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"budget": "huge"}, "'huge'"),
        ({"budget": ["smoke"]}, "['smoke']"),
        ({"device": "warp9"}, "'warp9'"),
        ({"device": ["cpu"]}, "['cpu']"),
        ({"colour": "red"}, "'colour'"),
        ({"widths": "ten"}, "'ten'"),
        ({"widths": {"a": 1}}, "{'a': 1}"),
        ({"widths": [True]}, "True"),
        ({"widths": [2**63]}, f"ReluNet(width={2**63}, depth=1)"),
        ({"num_epochs": 1.5}, "1.5"),
        ({"train_size": "all"}, "'all'"),
        ({"train_size": 1250}, "at most 1240 here"),
        ({"precision": 16}, "16"),
        ({"ks": [0]}, "k must be at least 1 layer; got 0."),
        ({"ks": [1, 13]}, "k must be from 1 to the 12 layers there are; got 13."),
        ({"ks": ["a", 2]}, "k must be of type int; got 'a', of type str."),
        ({"rhos": [0.1, None]}, "rho must be of type float; got None"),
    ],
)
def test_a_bad_parameter_is_one_sentence_with_its_value(values, told):
    recipe = "figure-10-vgg5" if {"ks", "rhos"} & set(values) else "figure-2"
    with pytest.raises(chapter.ChapterError) as stopped:
        chapter.settings(recipe, **{"budget": "smoke", "device": "cpu"} | values)
    (line,) = stopped.value._render_traceback_()
    assert told in line and "\n" not in line and line.endswith(".")


def test_data_that_are_missing_are_missed_at_the_settings(offline):
    with pytest.raises(chapter.ChapterError, match="train-images-idx3-ubyte"):
        chapter.settings("figure-2", budget="smoke", device="cpu", dataset="mnist")


def test_a_network_that_memory_does_not_hold_is_refused_by_an_estimate(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device: 1e9)
    sentence = (
        r"^ReluNet\(width=5000, depth=4\) takes about [\d.]+ GB to train, by "
        r"estimate, and 1\.0 GB are free here; choose smaller widths\.$"
    )
    wide = {"budget": "smoke", "device": "cpu", "widths": [10, 5000]}
    with pytest.raises(chapter.ChapterError, match=sentence):
        chapter.settings("figure-2", "figure-3", **wide)
    monkeypatch.setattr(memory, "free", lambda device: 1e10)
    chapter.settings("figure-2", "figure-3", **wide)


def test_what_is_recorded_needs_neither_data_nor_memory(offline, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device: 0.0)
    chapter.settings("learning-rates", budget="paper", device="cpu")


def test_settings_show_every_choice():
    chosen = {"dataset": "digits", "widths": [3], "seeds": [5], "lrs": [0.25]}
    chosen |= {"num_epochs": 7, "train_size": 110, "precision": "bf16"}
    chosen |= {"ks": [2], "rhos": [0.75]}
    shown = repr(
        chapter.settings("figure-10-vgg5", budget="smoke", device="cpu", **chosen)
    )
    lines = ("dataset digits", "width 3", "seed 5", "lr 0.25", "num_epochs 7")
    lines += ("train_size 110", "precision bf16", "k 2", "rho 0.75")
    assert set(lines) <= {line.strip() for line in shown.splitlines()}


def test_a_varied_recipe_is_the_chapters_but_for_what_is_asked():
    values = {"widths": [3], "seeds": [5], "lrs": None, "num_epochs": 7}
    chosen = chapter.settings("figure-2", budget="smoke", device="cpu", **values)
    (config,) = chosen.varied("figure-3", lrs=[0.25], num_epochs=None).configs
    columns = config.columns()
    found = [columns[name] for name in ("depth", "width", "seed", "lr", "num_epochs")]
    assert found == [4, 3, 5, 0.25, 5]  # the budget's own epochs
    assert chosen.varied("figure-2", budget="laptop").budget == "laptop"
    with pytest.raises(chapter.ChapterError, match="got 0"):
        chosen.varied("figure-2", widths=[0])


def test_a_parameter_may_choose_the_recipe():
    names = {"relu_net": "figure-5", "conv_net": "figure-6"}
    assert chapter.recipe_for("network", "conv_net", **names) == "figure-6"
    for value in ("mlp", None, ["relu_net"]):
        with pytest.raises(chapter.ChapterError, match="one of relu_net, conv_net"):
            chapter.recipe_for("network", value, **names)


def test_the_last_line_that_papermill_leaves_is_the_sentence(tmp_path):
    values = yaml.safe_dump({"budget": "smoke", "device": "cpu", "width": [10]})
    out = tmp_path / "out.ipynb"
    words = (str(CHAPTER_4), str(out), "-y", values, "--cwd", str(tmp_path))
    process = tiny.python("-m", "papermill", *words)
    _, err = process.communicate(timeout=120)
    *_, where, last = err.strip().splitlines()
    assert process.returncode != 0
    assert where.startswith("Exception encountered at")  # the settings cell
    assert last.startswith("Stopped: this chapter has no parameter 'width'; it has ")
    assert last.endswith(".")
    # what papermill keeps for the reader shows one line, no traceback
    cells = nbformat.read(out, as_version=4).cells
    (error,) = [o for c in cells for o in c.get("outputs", []) if "traceback" in o]
    assert len(error.traceback) == 1


def test_computed_trains_once_and_recorded_never(tmp_path, monkeypatch):
    monkeypatch.setenv("LAZYRICH_STORE", str(tmp_path))
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "book"))
    tiny = make_recipe("figure-2", "smoke", widths=[4], seeds=[0], num_epochs=1)
    first = chapter.computed(tiny, device="cpu")
    again = chapter.computed(tiny, device="cpu")
    assert first.records[0].origin == again.records[0].origin
    assert not first.missing
    nothing = chapter.recorded("figure-2", dataset="digits", widths=[4])
    assert not nothing.records and nothing.missing


def test_description_says_scale_n_and_what_is_missing():
    found = chapter.recorded("figure-2", widths=[10, 7], seeds=[0, 1], lrs=[0.1])
    text = provenance.describe(found)
    assert text.startswith("mnist; training images 10,000; test images 10,000;")
    assert "width 10; learning rate 0.1" in text
    assert "n = 2 seeds" in text and "; fp32; CPU, AMD EPYC" in text
    assert "not or not wholly run yet: mnist relu_net w=7 d=1 lr=0.1." in text
    assert "trained as one" not in text
    some = chapter.recorded("figure-2", widths=[10, 100], seeds=[0, 1, 2], lrs=[0.1])
    fewer = dataclasses.replace(some, records=some.records[1:])
    assert "n = 2 to 3 seeds" in provenance.describe(fewer)


def test_description_says_where_seeds_were_trained_as_one(store):
    tiny.finish(store, *tiny.SEEDS)
    text = provenance.describe(tiny.results(store, *tiny.SEEDS, tiny.WIDTHS[0]))
    assert "3 of 4 trained as one with other seeds" in text
    cpu = torch.device("cpu")
    assert f", {arithmetic.instruction_set(cpu)}, torch " in text


def test_records_of_older_code_are_marked(monkeypatch):
    def described() -> str:
        choices = {"widths": [10], "seeds": [0, 1], "lrs": [0.1]}
        return provenance.describe(chapter.recorded("figure-2", **choices))

    assert "STALE" not in described()
    for code, name, value in (
        (record, "NUMERICS", record.NUMERICS | {"train": 999}),
        (Reinit, "version", Reinit.version + 1),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(code, name, value)
            assert "2 of 2 records are STALE" in described()


def test_environment_names_versions():
    text = chapter.environment()
    assert "Python 3" in text and "torch" in text


def test_what_labels_share_is_said_once():
    labels = ["mnist vgg5 w=16", "mnist vgg5 w=16 top 1", "mnist vgg5 w=16 top 2"]
    assert provenance.in_short(labels) == "mnist vgg5 w=16: full, top 1, top 2"
    assert provenance.in_short(["mnist vgg5 w=16"]) == "mnist vgg5 w=16"
    assert provenance.in_short(["mnist a", "digits b"]) == "mnist a, digits b"


def test_an_interrupted_cell_goes_on_when_it_is_run_again(store, monkeypatch):
    plain, epochs = execution.train, []

    def train(*args, **options):
        for epoch in plain(*args, **options):
            epochs.append(epoch.number)
            if len(epochs) == 2:
                os.kill(os.getpid(), signal.SIGINT)  # as Jupyter interrupts a kernel
            yield epoch

    monkeypatch.setattr(execution, "train", train)
    recipe = make_recipe("figure-2", "smoke", widths=[4], seeds=[0], num_epochs=3)
    with pytest.raises(chapter.ChapterError, match="1 of them begun"):
        chapter.computed(recipe, device="cpu")
    assert len(chapter.computed(recipe, device="cpu").records) == 1
    assert epochs == [1, 2, 3]


def test_a_badge_shows_what_it_is_told_literally_and_each_once():
    html = provenance.folded(["w < 10", "w < 10"], ["η > 0 & fp32"]).data
    assert html.count("w &lt; 10") == 1
    assert "<p>η &gt; 0 &amp; fp32</p>" in html
