"""Studies: kept whole, point by point, and never another settings' numbers."""

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd
import pytest

from lazyrich_helpers.experiments import study
from lazyrich_helpers.experiments.locks import claim
from lazyrich_helpers.experiments.study import (
    Study,
    complete_study,
    read_study,
    studies_folder,
)
from lazyrich_helpers.notebook.chapter import ChapterError
from lazyrich_helpers.notebook.studies import study_line, study_settings
from lazyrich_helpers.papers.sharded.claims import CURVES, TENSORFLOW
from lazyrich_helpers.papers.studies import neighbours, recorded_studies, studies
from lazyrich_helpers.run import main
from lazyrich_helpers.runner.stopping import Stop
from tests.tiny import ROOT

RECORDED = ROOT / "book" / "records" / "studies"


@dataclass(frozen=True, kw_only=True)
class Settings:
    scales: tuple[float, ...] = (0.5, 2.0, 8.0)
    seeds: tuple[int, ...] = (0, 1)
    width: int = 8


def squares(settings, scale, device):
    """Return a row for each seed; one of them is not finite."""
    rows = [(seed, scale**2 / 3, float("inf") * seed) for seed in settings.seeds]
    return pd.DataFrame(rows, columns=["seed", "square", "limit"])


BUDGETS = {name: Settings() for name in ("smoke", "laptop", "paper")}
STUDY = Study(
    name="squares", says="Squares", point=squares, over="scales", budgets=BUDGETS
)


@pytest.fixture(autouse=True)
def own_stores(tmp_path, monkeypatch):
    monkeypatch.setenv("LAZYRICH_STORE", str(tmp_path / "own"))
    monkeypatch.setenv("LAZYRICH_RECORDS", str(tmp_path / "book"))
    monkeypatch.delenv("LAZYRICH_BUDGET", raising=False)


def test_a_study_is_kept_whole_and_read_back():
    assert read_study(STUDY).missing == [0.5, 2.0, 8.0]
    done = complete_study(STUDY, "paper")
    assert list(done.table) == ["scales", "seed", "square", "limit"]
    assert done.table.scales.tolist() == [0.5, 0.5, 2.0, 2.0, 8.0, 8.0]
    assert done.table.square.tolist() == pytest.approx(
        [1 / 12, 1 / 12, 4 / 3, 4 / 3, 64 / 3, 64 / 3], rel=1e-6
    )
    assert done.table.limit.isna().sum() == 6  # inf × 0 and inf
    assert not done.missing and len(done.origins) == 1
    pd.testing.assert_frame_equal(done.table, read_study(STUDY).table)


def test_what_is_there_is_not_computed_again():
    asked = []
    counting = dataclasses.replace(
        STUDY, point=lambda s, v, d: asked.append(v) or squares(s, v, d)
    )
    partly = complete_study(counting, "paper", stop=lambda: len(asked) == 2)
    assert asked == [0.5, 2.0] and partly.missing == [8.0]
    whole = complete_study(counting, "paper")
    assert asked == [0.5, 2.0, 8.0] and not whole.missing
    pd.testing.assert_frame_equal(whole.table, complete_study(STUDY, "paper").table)


def test_a_point_that_fails_loses_no_other():
    def failing(settings, value, device):
        if value == 2.0:
            raise ValueError("two")
        return squares(settings, value, device)

    with pytest.raises(ValueError, match="two"):
        complete_study(dataclasses.replace(STUDY, point=failing), "paper")
    assert read_study(STUDY).missing == [2.0, 8.0]


@pytest.mark.parametrize(
    "other",
    [
        {"version": 2},
        {"budgets": {"paper": Settings(seeds=(0, 1, 2))}},
        {"budgets": {"paper": Settings(scales=(0.5, 2.0))}},
    ],
)
def test_another_version_or_settings_is_another_study(other):
    complete_study(STUDY, "paper")
    changed = dataclasses.replace(STUDY, **other)
    assert len(read_study(changed).missing) == len(changed.budgets["paper"].scales)


def test_only_the_paper_scale_lies_in_the_book(tmp_path):
    complete_study(STUDY, "laptop")
    assert not (tmp_path / "book").exists()
    complete_study(STUDY, "paper")
    (kept,) = (tmp_path / "book" / "studies").glob("*.json")
    assert json.loads(kept.read_text())["settings"]["seeds"] == [0, 1]


def test_a_broken_file_is_named_with_the_remedy(tmp_path):
    complete_study(STUDY, "paper")
    (kept,) = (tmp_path / "book" / "studies").glob("*.json")
    kept.write_text(kept.read_text()[:-40])
    with pytest.raises(ValueError, match=f"{kept}.*restore it"):
        read_study(STUDY)


def test_a_chapter_may_choose_otherwise():
    chosen = study_settings(STUDY, budget="smoke", scales=[3], seeds=None)
    assert chosen.computed("squares").table.square.tolist() == pytest.approx([3, 3])


def test_a_choice_is_for_the_studies_that_have_it():
    @dataclass(frozen=True, kw_only=True)
    class Other:
        scales: tuple[float, ...] = (1.0,)
        seeds: tuple[int, ...] = (0,)
        depth: int = 1

    other = dataclasses.replace(STUDY, name="other", budgets={"smoke": Other()})
    chosen = study_settings(STUDY, other, budget="smoke", depth=3)
    assert chosen.studies["other"].settings("smoke").depth == 3
    assert chosen.studies["squares"].settings("smoke") == Settings()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"budget": "huge"}, "budget must be one of"),
        ({"device": "abacus"}, "device must be"),
        ({"scales": 3.0}, "scales must be of type"),
        ({"seeds": ["one"]}, "seeds must be of type int"),
        ({"seeds": [0, 0]}, r"seeds must be a list of different .*got \[0, 0\]\.$"),
        ({"seeds": []}, r"seeds must be .*values, at least one; got \[\]\.$"),
        ({"scales": [2, 2.0]}, "scales must be a list of different values"),
        ({"width": 0}, r"width must be above 0; got 0\.$"),
    ],
)
def test_a_wrong_parameter_is_a_sentence(bad, sentence):
    with pytest.raises(ChapterError, match=sentence):
        study_settings(STUDY, **{"budget": "smoke", **bad})


def test_an_interrupted_chapter_says_how_to_go_on(monkeypatch):
    chosen = study_settings(STUDY, budget="smoke")
    monkeypatch.setattr(Stop, "asked", True)
    with pytest.raises(ChapterError, match="run the cell again"):
        chosen.computed("squares")


def test_the_badge_says_scale_n_arithmetic_and_what_is_missing():
    asked = []
    one = dataclasses.replace(
        STUDY, point=lambda s, v, d: asked.append(v) or squares(s, v, d)
    )
    shown = study_line(complete_study(one, "paper", stop=lambda: bool(asked))).data
    assert "recorded · n = 2 seeds · fp32 · CPU · 2 points missing" in shown
    assert "study squares --budget paper" in shown
    assert "not computed yet" in study_line(read_study(STUDY, "laptop")).data


def test_points_of_two_arithmetics_are_told_apart():
    mixed = dataclasses.replace(
        STUDY, arithmetic=lambda scale: "fp64" if scale > 1 else "fp32"
    )
    shown = study_line(complete_study(mixed, "paper")).data
    assert "· fp32 · fp64 · CPU" in shown and shown.count("torch 2") == 1


def test_recorded_studies_say_what_their_points_were_computed_in():
    for one in recorded_studies().values():
        points = json.loads(one.file(one.settings("paper"), RECORDED).read_text())
        for point in points["points"]:
            done = one.arithmetic_of(point[one.over])
            assert point["origin"]["arithmetic"] == done, one.name
    assert (CURVES.arithmetic_of("record"), TENSORFLOW.arithmetic_of("fp64")) == (
        "fp32",
        "fp64",
    )


def test_what_a_reader_chose_is_not_told_to_be_done_again_by_the_command_line():
    for scales, again in ([3], False), ([0.5, 2, 8], True), (None, True):
        chosen = study_settings(STUDY, budget="smoke", scales=scales)
        shown = study_line(chosen.computed("squares")).data
        assert ("Again: python -m lazyrich_helpers.run study" in shown) == again


def test_waiting_for_another_process_ends_when_asked(tmp_path):
    looks = iter([False, False])
    lock = STUDY.file(Settings(), studies_folder("smoke"))

    def stop():
        return next(looks, True)

    with ThreadPoolExecutor() as pool, claim(lock.parent / ".locks" / lock.stem):
        waiting = pool.submit(complete_study, STUDY, "smoke", stop=stop)
        assert waiting.result(timeout=30).missing == [0.5, 2.0, 8.0]


def test_points_of_a_process_that_took_over_are_kept():
    def overtaken(settings, value, device):
        rows = squares(settings, value, device)
        if value == 2.0:
            file = STUDY.file(settings, studies_folder("paper"))
            points = study._read(file)
            other = points["0.5"] | {"scales": 8.0, "seconds": 7.0}
            study._write(file, STUDY, settings, points | {"8.0": other})
            ended.append(True)
        return rows

    ended = []
    own = dataclasses.replace(STUDY, point=overtaken)
    found = complete_study(own, "paper", stop=lambda: bool(ended))
    assert not found.missing and found.seconds >= 7.0


def test_the_command_line_lists_studies_and_refuses_unknown_ones(capsys):
    assert main(["study", "no-such"]) == 2
    assert "study must be one of" in capsys.readouterr().err
    assert main(["study"]) == 0
    assert capsys.readouterr().out.count("paper: ") == len(studies())


def test_names_are_their_own():
    for name, one in studies().items():
        assert name == one.name and {*one.budgets} == {"smoke", "laptop", "paper"}
    assert len({one.page for one in neighbours()}) == len(neighbours())
