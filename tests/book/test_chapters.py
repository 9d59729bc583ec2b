"""Every notebook keeps the book's contract."""

import ast
import dataclasses
import re

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from lazyrich_helpers.experiments.recipes import Scale
from tests import refresh_outputs
from tests.refresh_outputs import (
    CHECKED,
    ROOT,
    chapters,
    recipe_chapters,
    training_chapters,
)

TITLES = [str(path.relative_to(ROOT / "book")) for path in chapters()]


@pytest.fixture(params=chapters(), ids=TITLES)
def cells(request: pytest.FixtureRequest) -> list[NotebookNode]:
    return nbformat.read(request.param, as_version=4).cells


@pytest.fixture(params=training_chapters(), ids=lambda path: path.stem)
def training(request: pytest.FixtureRequest) -> list[NotebookNode]:
    """The cells of a chapter that has parameters."""
    return nbformat.read(request.param, as_version=4).cells


@pytest.fixture(params=recipe_chapters(), ids=lambda path: path.stem)
def recipes(request: pytest.FixtureRequest) -> list[NotebookNode]:
    """The cells of a chapter that trains recipes."""
    return nbformat.read(request.param, as_version=4).cells


def tagged(cells: list[NotebookNode], tag: str) -> list[NotebookNode]:
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def code(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [cell for cell in cells if cell.cell_type == "code"]


def test_there_are_chapters():
    assert TITLES


def test_opens_with_label_title_and_what_was_found(cells):
    """A reader sees on the first screen what was found, then at what, then why."""
    lines = cells[0].source.splitlines()
    assert lines[0].startswith("(") and lines[0].endswith(")=")
    assert lines[1].startswith("# ")
    assert lines[3].startswith("*") and lines[-1].endswith("*"), "the question"
    setup = cells[1]
    assert "hide-input" in setup.metadata.tags and "import " in setup.source
    assert cells[2].source.startswith("## What we found")
    sources = [cell.source for cell in cells]
    found = next(n for n, source in enumerate(sources) if "findings(" in source)
    hero = next(n for n, source in enumerate(sources) if "plt.show()" in source)
    facts = next(n for n, source in enumerate(sources) if "**Varied:**" in source)
    assert found < hero < facts <= 8
    for word in ("**Tuned:**", "**Fixed:**", "**Scale:**", "**Takes**"):
        assert word in sources[facts]


def validation(cells: list[NotebookNode]) -> NotebookNode:
    """The code after the parameters cell, the only one."""
    (parameters,) = tagged(cells, "parameters")
    return next(c for c in code(cells[cells.index(parameters) + 1 :]))


def test_one_parameters_cell_of_plain_literals(training):
    (parameters,) = tagged(training, "parameters")
    for statement in ast.parse(parameters.source).body:
        assert isinstance(statement, ast.AnnAssign) and statement.value is not None
        ast.literal_eval(statement.value)  # raises where a value is derived
    assert "settings(" in validation(training).source, "the next cell validates"
    before = training[: training.index(parameters)]
    assert any("## Run it yourself" in cell.source for cell in before)


@pytest.fixture(scope="module")
def described() -> dict[str, dict[str, dict[str, str]]]:
    """What `papermill --help-notebook` says of each chapter's parameters."""
    return {
        title: papermill.inspect_notebook(path)
        for title, path in zip(TITLES, chapters(), strict=True)
    }


def test_every_parameter_has_a_type_and_a_meaning(described):
    for title, parameters in described.items():
        for name, told in parameters.items():
            assert told["inferred_type_name"] != "None", (title, name)
            assert len(told["help"]) > 10, (title, name)


def test_a_chapter_has_every_choice_of_its_recipes(recipes):
    """Where it takes a recipe, it takes what that lets a caller choose."""
    (parameters,) = tagged(recipes, "parameters")
    names = [node.target.id for node in ast.parse(parameters.source).body]
    assert {"budget", "device"} < set(names)
    assert {field.name for field in dataclasses.fields(Scale)} < set(names)
    (call,) = [
        node
        for node in ast.walk(ast.parse(validation(recipes).source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "settings"
    ]
    passed = {k.arg: ast.unparse(k.value) for k in call.keywords if k.arg != "known"}
    checked = ast.literal_eval(
        next((ast.unparse(k.value) for k in call.keywords if k.arg == "known"), "[]")
    )
    assert passed == {name: name for name in names if name not in checked}


def test_a_name_means_the_same_in_every_chapter(described):
    its_own = {"widths": "help", "ks": "help"}  # of what: units, channels, ...
    seen: dict[str, dict[str, str]] = {}
    for title, parameters in described.items():
        for name, told in parameters.items():
            before = seen.setdefault(name, told)
            for key in told.keys() - {its_own.get(name)}:
                assert told[key] == before[key], (title, name)


def test_cells_are_short(cells):
    first, *others = code(cells)
    for cell in others:  # what a reader of the page does not see may be longer
        longest = 50 if "remove-input" in cell.metadata.get("tags", []) else 25
        assert len(cell.source.splitlines()) <= longest, cell.source
    assert "import " in first.source  # nobody reads it
    assert len(first.source.splitlines()) <= 48


@pytest.mark.parametrize("path", chapters(), ids=TITLES)
def test_the_first_code_installs_what_is_missing(path):
    """From the repository that `_config.yml` names; `make outputs` writes it."""
    setup = code(nbformat.read(path, as_version=4).cells)[0]
    assert setup.source.startswith(refresh_outputs.installs(path))


def test_what_is_installed_is_the_checkout_or_the_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh_outputs, "ROOT", tmp_path)
    settings = tmp_path / "_config.yml"
    settings.write_text("repository: {url: ''}")
    one, two = tmp_path / "book/a.ipynb", tmp_path / "book/papers/a.ipynb"
    first = refresh_outputs.with_installs("import torch\n", one)
    assert 'folder, repository = "..", ""\n' in first
    assert 'folder, repository = "../.."' in refresh_outputs.installs(two)
    settings.write_text("repository: {url: https://github.com/someone/book}")
    then = refresh_outputs.with_installs(first, two)
    assert 'repository = "../..", "https://github.com/someone/book"\n' in then
    assert first.endswith("\n\nimport torch\n") and then.count("import torch") == 1
    assert then.count("find_spec(") == 1


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


def test_two_to_four_exercises_each_with_a_folded_solution(training):
    text = "\n".join(cell.source for cell in training if cell.cell_type == "markdown")
    exercises = text.count("{exercise}")
    assert 2 <= exercises <= 4
    assert len(re.findall(r"\{solution\} \S+\n:class: dropdown", text)) == exercises


def test_answers_are_folded_in_jupyterlab_too(cells):
    for cell in tagged(cells, "hide-cell"):
        assert cell.metadata.jupyter == {"outputs_hidden": True, "source_hidden": True}


def test_markdown_is_what_jupyterlab_draws(cells):
    """As tried: directives are drawn, and a role without a target shows its label."""
    assert "\njupyterlab-myst==" in (ROOT / "requirements.txt").read_text("utf-8")
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    directives = set(re.findall(r"^[`:]{3,}\{(\S+)\}", text, re.MULTILINE))
    assert directives <= {"admonition", "exercise", "figure", "solution"}
    assert set(re.findall(r"\{(\S+?)\}`", text)) <= {
        "cite:p",
        "cite:t",
        "glue:text",
        "numref",
        "ref",
    }


def test_ends_with_the_environment(cells):
    assert cells[-1].source == "print(environment())"


def test_untrained_networks_are_the_readers_and_come_after_the_training():
    (path,) = [path for path in chapters() if path.stem == "04_active_parameters"]
    sources = [cell.source for cell in code(nbformat.read(path, as_version=4).cells)]
    (made,) = [
        n for n, source in enumerate(sources) if "untrained.untrained(" in source
    ]
    trained = [n for n, source in enumerate(sources) if "computed(chosen" in source]
    assert trained[0] < made
    assert "chosen.varied(" in sources[made] and "device=chosen.device" in sources[made]
