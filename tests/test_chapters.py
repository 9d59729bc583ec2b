"""Every notebook keeps the book's contract."""

import ast
import re

import nbformat
import pytest
from nbformat import NotebookNode

from tests.refresh_outputs import CHECKED, ROOT, chapters

TITLES = [str(path.relative_to(ROOT / "book")) for path in chapters()]


@pytest.fixture(params=chapters(), ids=TITLES)
def cells(request: pytest.FixtureRequest) -> list[NotebookNode]:
    return nbformat.read(request.param, as_version=4).cells


def tagged(cells: list[NotebookNode], tag: str) -> list[NotebookNode]:
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def code(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [cell for cell in cells if cell.cell_type == "code"]


def test_there_are_chapters():
    assert TITLES


def test_opens_with_label_title_question_and_cost(cells):
    first = cells[0]
    assert first.cell_type == "markdown"
    lines = first.source.splitlines()
    assert lines[0].startswith("(") and lines[0].endswith(")=")
    assert lines[1].startswith("# ")
    for word in (
        "**Question.**",
        "**Varied:**",
        "**Tuned:**",
        "**Fixed:**",
        "**Takes**",
    ):
        assert word in first.source


def test_one_parameters_cell_of_plain_literals(cells):
    (parameters,) = tagged(cells, "parameters")
    for statement in ast.parse(parameters.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)  # raises where a value is derived
    assert cells.index(parameters) < cells.index(code(cells)[2])
    assert "settings(" in code(cells)[2].source, "the next cell validates"


def test_cells_are_short(cells):
    for cell in code(cells):
        assert len(cell.source.splitlines()) <= 25, cell.source


def test_figures_have_captions_names_and_alt_text(cells):
    for cell in code(cells):
        if "plt.show()" in cell.source:
            shown = cell.metadata["mystnb"]
            assert shown["figure"]["caption"].endswith(".")
            assert shown["figure"]["name"].startswith("fig-")
            assert len(shown["image"]["alt"]) > 20


def test_figures_are_named_in_the_text_before_they_appear(cells):
    text = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            text += cell.source
        elif name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
            assert f"{{numref}}`{name}`" in text, name


def test_outputs_are_compared_or_stripped(cells):
    compared = tagged(cells, CHECKED)
    assert compared, "nothing in this chapter would notice a wrong number"
    for cell in compared:
        # nbval passes silently over a cell that was never executed
        assert cell.outputs and cell.execution_count == 1, cell.source
    for cell in code(cells):
        assert cell in compared or not (cell.outputs or cell.execution_count)


def test_two_to_four_exercises_each_with_a_folded_solution(cells):
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    exercises = text.count("{exercise}")
    assert 2 <= exercises <= 4
    assert len(re.findall(r"\{solution\} \S+\n:class: dropdown", text)) == exercises


def test_ends_with_the_environment(cells):
    assert cells[-1].source == "print(environment())"
