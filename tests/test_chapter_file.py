"""A chapter as a file: found by any of its names, and known by its text and code."""

import json

import pytest

from lazyrich_helpers.runner import chapter_file
from lazyrich_helpers.runner.chapter_file import Parameter, find_chapter, parameters_of
from tests.refresh_outputs import chapters


def test_the_chapters_are_those_of_the_book():
    assert chapter_file.chapters() == chapters()


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_chapter_is_found_by_number_name_and_path(path, monkeypatch):
    number, name = path.stem.split("_", 1)
    monkeypatch.chdir(path.parent)
    for text in (number, str(int(number)), name, path.stem, path.name, str(path)):
        assert find_chapter(text) == path, text


@pytest.mark.parametrize("text", ["99", "", "0", "_setup", "book", "no.ipynb", "*"])
def test_what_is_no_chapter_is_a_sentence_with_all_there_are(text):
    with pytest.raises(ValueError) as stopped:
        find_chapter(text)
    told = str(stopped.value)
    assert told.endswith(f"got {text!r}.") and "\n" not in told
    assert all(path.stem in told for path in chapters())


@pytest.mark.parametrize(
    ("kind", "default", "is_list", "entry"),
    [
        ("list[int]", "None", True, "int"),
        ("list", "None", True, ""),
        ("None", "[1, 2]", True, ""),
        ("int", "3", False, "int"),
        ("None", "3", False, ""),
    ],
)
def test_a_type_says_what_to_read(kind, default, is_list, entry):
    parameter = Parameter("x", kind, default, "")
    assert (parameter.is_list, parameter.entry) == (is_list, entry)


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_type_of_a_chapter_can_be_read(path):
    found = parameters_of(path)
    assert {"budget", "widths", "seeds", "device"} < set(found)
    lists = {name for name, parameter in found.items() if parameter.is_list}
    assert lists == set(found) & {"widths", "seeds", "lrs", "ks", "rhos"}
    assert all(p.entry in ("int", "float", "str") for p in found.values())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', "\x00"])
def test_a_file_that_is_no_notebook_is_a_sentence(tmp_path, content):
    path = tmp_path / "broken.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"a file that Jupyter can open; .*broken"):
        parameters_of(path)


def test_a_notebook_without_parameters_is_a_sentence(tmp_path):
    path = tmp_path / "bare.ipynb"
    content = json.loads(chapters()[0].read_text())
    path.write_text(json.dumps(content | {"cells": content["cells"][:1]}))
    with pytest.raises(ValueError, match=r"a cell tagged `parameters`; got .*bare"):
        parameters_of(path)


def test_outputs_make_no_other_version_and_code_does(tmp_path):
    path = tmp_path / "copy.ipynb"
    content = json.loads(chapters()[0].read_text())

    def digest_now() -> str:
        path.write_text(json.dumps(content))
        return chapter_file.digest(path)

    before = digest_now()
    code = next(c for c in content["cells"] if c["cell_type"] == "code")
    code["outputs"], code["execution_count"] = [], 17
    assert digest_now() == before == chapter_file.digest(chapters()[0])
    code["source"] = "".join(code["source"]) + "\n1"
    assert digest_now() != before


def test_the_title_is_the_first_heading():
    assert (
        chapter_file.title(find_chapter("4")) == "Active parameters and generalization"
    )
