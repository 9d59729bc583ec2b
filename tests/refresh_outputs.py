"""Refresh what is committed but made by a program: compared outputs, the pictures.

`python -m tests.refresh_outputs` runs every chapter at budget `smoke` and rewrites
`book/**/*.ipynb`: cells tagged `nbval-check-output` keep their text output, all others
are stripped. It then draws `book/static/figure-2.png` from the records and, where the
data are, `book/static/samples.png`, and writes what is found into `README.md`.
"""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from lazyrich_helpers.data.datasets import DataError
from lazyrich_helpers.runner.grid_points import chapters

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "book" / "static" / "figure-2.png"
SAMPLES = ROOT / "book" / "static" / "samples.png"
README = ROOT / "README.md"
FINDINGS, FINDINGS_END = "<!-- findings -->", "<!-- /findings -->"
CHECKED = "nbval-check-output"
READ_ONLY = {"04b_other_data_and_readings"}
"""Second pages, which only read records: without parameters and exercises."""


def training_chapters() -> list[Path]:
    """Return those with parameters, which train."""
    return [path for path in chapters() if path.stem not in READ_ONLY]


def recipe_chapters() -> list[Path]:
    """Return those that train recipes; the neighbouring papers' compute studies."""
    return [path for path in training_chapters() if path.parent.name != "papers"]


def refresh(path: Path) -> None:
    """Execute one notebook in an empty store and write it back."""
    notebook = nbformat.read(path, as_version=4)
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
    from lazyrich_helpers.analysis.headlines import coverage, headlines
    from lazyrich_helpers.analysis.questions import questions
    from lazyrich_helpers.analysis.status import read_inventory
    from lazyrich_helpers.experiments.records import recorded_store

    lines = [f"* {found.plain}" for found in headlines(questions())]
    lines += ["", str(coverage(read_inventory(recorded_store())))]
    before, _, rest = text.partition(FINDINGS)
    _, _, after = rest.partition(FINDINGS_END)
    return "\n".join([before + FINDINGS, *lines, FINDINGS_END + after])


def draw_picture() -> None:
    """Draw Figure 2 at two learning rates, one above the other, from the records."""
    from lazyrich_helpers.analysis import plots
    from lazyrich_helpers.analysis.tables import reinit_table
    from lazyrich_helpers.notebook.chapter import recorded

    tables = {}
    for lr in (0.1, 0.001):
        found = recorded("figure-2", widths=[10, 100, 1000, 5000], lrs=[lr])
        tables[f"learning rate {lr:g}"] = reinit_table(found.records)
    fig = plots.reinit_grid(tables, scale="log")
    fig.savefig(PICTURE, dpi=110, metadata={"Software": None})


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
    fig.savefig(SAMPLES, dpi=110, metadata={"Software": None})


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
