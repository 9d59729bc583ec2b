"""The committed studies: each belongs to a study that there is, and is whole."""

import json
from pathlib import Path

import pytest

from lazyrich_helpers.analysis.claims.questions import questions
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.papers.studies import neighbours, recorded_studies, studies

FOLDER = Path(__file__).resolve().parents[1] / "book" / "records" / "studies"
STUDIES = recorded_studies()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_recorded_whole(name):
    found = read_study(STUDIES[name], "paper")
    assert not found.missing
    assert not any("+" in one["commit"] for one in found.origins)
    if "seed" in found.table:
        assert sorted(found.table.seed.unique()) == sorted(found.settings.seeds)


def test_no_file_is_of_older_settings():
    current = {
        study.file(study.settings("paper"), FOLDER).name for study in studies().values()
    }
    assert {path.name for path in FOLDER.glob("*.json")} <= current


def test_what_is_not_recorded_is_few_and_says_so():
    others = {n: s for n, s in studies().items() if n not in STUDIES}
    assert list(others) == ["grokalign-mnist-1k"]
    assert all("not recorded" in study.says for study in others.values())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda p: p.stem)
def test_a_file_is_in_strict_json_with_equal_columns(path):
    def refuse(word):
        raise AssertionError(word)

    kept = json.loads(path.read_text(), parse_constant=refuse)
    assert len({tuple(point["columns"]) for point in kept["points"]}) == 1


def test_no_claim_has_the_name_of_another():
    names = [v.claim for one in neighbours() for v in one.verdicts]
    assert len(names) == len({*names})
    assert not {*names} & {question.verdict.claim for question in questions()}
