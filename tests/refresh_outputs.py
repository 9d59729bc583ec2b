"""Run every chapter at budget `smoke` and keep the outputs that tests compare.

`python -m tests.refresh_outputs` rewrites `book/**/*.ipynb`: cells tagged
`nbval-check-output` keep their text output, all others are stripped.
"""

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
CHECKED = "nbval-check-output"


def chapters() -> list[Path]:
    """Return the book's notebooks, in order."""
    found = (ROOT / "book").rglob("*.ipynb")
    hidden = (".ipynb_checkpoints", "_build")
    return sorted(path for path in found if not set(hidden) & set(path.parts))


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
            cell.execution_count = None
            if CHECKED not in cell.metadata.get("tags", []):
                cell.outputs = []
            for output in cell.outputs:
                output.pop("execution_count", None)
                if output.output_type == "execute_result":
                    output.execution_count = None
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for chapter in chapters():
        refresh(chapter)
        print(f"refreshed {chapter.relative_to(ROOT)}")
