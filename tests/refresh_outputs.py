"""Refresh what is committed but made by a program: compared outputs, the pictures.

`python -m tests.refresh_outputs` runs every chapter at budget `smoke` and rewrites
`book/**/*.ipynb`: cells tagged `nbval-check-output` keep their text output, all others
are stripped. The first code of each installs the package where it is missing, from the
repository that `_config.yml` names. It then draws `book/static/figure-2.png` from the
records and, where the data are, `book/static/samples.png`, and writes what is found
into `README.md`.
"""

import os
import tempfile
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient

from lazyrich_helpers.data.datasets import DataError
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.runner.grid_points import chapters

PICTURE = ROOT / "book" / "static" / "figure-2.png"
SAMPLES = ROOT / "book" / "static" / "samples.png"
README = ROOT / "README.md"
FINDINGS, FINDINGS_END = "<!-- findings -->", "<!-- /findings -->"
CHECKED = "nbval-check-output"
INSTALL = """\
import site
from importlib.util import find_spec
from pathlib import Path

if find_spec("lazyrich_helpers") is None:  # on Colab, or in another environment
    folder, repository = "{checkout}", "{url}"
    if not Path(folder, "_config.yml").exists():  # this notebook came alone
        folder = "lazyrich"
        get_ipython().system(f"git clone --quiet --depth 1 {{repository}} {{folder}}")
    get_ipython().run_line_magic("pip", f"install --quiet -e {{folder}}[notebook]")
    site.main()  # lets this kernel see it
"""
READ_ONLY = {"04b_other_data_and_readings"}
"""Second pages, which only read records: without parameters and exercises."""


def training_chapters() -> list[Path]:
    """Return those with parameters, which train."""
    return [path for path in chapters() if path.stem not in READ_ONLY]


def recipe_chapters() -> list[Path]:
    """Return those that train recipes; the neighbouring papers' compute studies."""
    return [path for path in training_chapters() if path.parent.name != "papers"]


def installs(path: Path) -> str:
    """Return the lines that install the package, in a notebook that lacks it."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    url = settings["repository"]["url"]
    checkout = "/".join(".." for _ in path.relative_to(ROOT).parents[1:])
    return INSTALL.format(checkout=checkout, url=url)


def with_installs(setup: str, path: Path) -> str:
    """Return a notebook's first cell of code, its lines that install made anew."""
    _, end, rest = setup.partition(INSTALL.splitlines()[-1] + "\n\n")
    return installs(path) + "\n" + (rest if end else setup)


def refresh(path: Path) -> None:
    """Execute one notebook in an empty store and write it back."""
    notebook = nbformat.read(path, as_version=4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    setup.source = with_installs(setup.source, path)
    with tempfile.TemporaryDirectory() as store:
        os.environ |= {"LAZYRICH_BUDGET": "smoke", "LAZYRICH_STORE": store}
        folder = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, kernel_name="python3", resources=folder).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            keep = CHECKED in cell.metadata.get("tags", [])
            cell.outputs = cell.outputs if keep else []
            # nbval takes a cell without a number for one that never ran
            cell.execution_count = 1 if keep else None
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = 1
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


def with_findings(text: str) -> str:
    """Return a README with the book's first findings, and what is recorded, anew."""
    from lazyrich_helpers.analysis.claims.headlines import coverage, headlines
    from lazyrich_helpers.analysis.claims.questions import questions
    from lazyrich_helpers.analysis.tables.status import read_inventory
    from lazyrich_helpers.experiments.records import recorded_store

    lines = [f"* {found.plain}" for found in headlines(questions())]
    lines += ["", coverage(read_inventory(recorded_store()))]
    before, _, rest = text.partition(FINDINGS)
    _, _, after = rest.partition(FINDINGS_END)
    return "\n".join([before + FINDINGS, *lines, FINDINGS_END + after])


def draw_picture() -> None:
    """Draw Figure 2 at two learning rates, one above the other, from the records."""
    from lazyrich_helpers.analysis.figures import plots
    from lazyrich_helpers.analysis.tables.tidy import reinit_table
    from lazyrich_helpers.notebook.chapter import recorded
    from lazyrich_helpers.notebook.page import png

    tables = {}
    for lr in (0.1, 0.001):
        found = recorded("figure-2", widths=[10, 100, 1000, 5000], lrs=[lr])
        tables[f"learning rate {lr:g}"] = reinit_table(found.records)
    fig = plots.reinit_grid(tables, scale="log")
    PICTURE.write_bytes(png(fig, dpi=110))


def draw_samples() -> None:
    """Draw images of the paper's data sets.

    Raises:
        DataError: If a data set is not there.
    """
    from lazyrich_helpers.data.datasets import images
    from lazyrich_helpers.notebook import pictures

    names = ("mnist", "fashion_mnist", "cifar10")
    sets = [images(name, train_size=1000).load() for name in names]
    fig = pictures.sample_figure(*sets, each=2)
    fig.savefig(SAMPLES, dpi=110, metadata={"Software": None})  # photographs


if __name__ == "__main__":
    for chapter in chapters():
        refresh(chapter)
        print(f"refreshed {chapter.relative_to(ROOT)}")
    draw_picture()
    print(f"drew {PICTURE.relative_to(ROOT)}")
    try:
        draw_samples()
        print(f"drew {SAMPLES.relative_to(ROOT)}")
    except DataError as error:
        print(f"left {SAMPLES.relative_to(ROOT)} as it was: {error}")
    README.write_text(with_findings(README.read_text("utf-8")), "utf-8")
    print(f"wrote {README.relative_to(ROOT)}")
