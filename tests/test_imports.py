"""Imports point one way, and training needs torch and numpy alone."""

import ast
import importlib.metadata as metadata
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

import lazyrich_helpers
from tests import tiny

PACKAGE = Path(lazyrich_helpers.__file__).parent
LEVELS = [
    {"config", "randomness", "vision", "subsets", "selection", "papermill_process"},
    {"places", "bounds"},
    {"locks", "stopping", "tensor_files", "whole_files", "chapter", "command_line"},
    {"grid_points"},
    {"grid_reports"},
    {"sources", "sleeping", "optimizer_state", "convolution"},
    {"layer_names", "layer_order", "layer_watch", "layer_checks"},
    {"data", "models", "schedules", "neighbours", "objectives", "optimizers"},
    {"initialization", "layout", "convnets", "augmentation", "layerwise", "flops"},
    {"remaining", "weights_file", "vectors"},
    {"imagenet"},
    {"run_config"},
    {"arithmetic"},
    {"train"},
    {"stack"},
    {"measures", "reinit", "movement", "records", "gradients", "together"},
    {"reinit_curves"},
    {"activity", "criticality", "skew", "updates", "timing", "clock", "step_times"},
    {"recipes", "tables", "activity_tables", "origin", "progress", "planning"},
    {"checkpoints", "kept", "listing"},
    {"activation_memory", "memory", "trial"},
    {"execution", "lws_exhibits", "neighbours_exhibits", "summary", "backlog"},
    {"attempts", "workers"},
    {"verdicts"},
    {"exhibits", "batch", "claims", "activity_claims", "plots", "lws_tables"},
    {"timing_tables", "readings", "untrained"},
    {"make_weights"},
    {"slurm_queue", "slurm_ledger", "grid_page"},
    {"slurm_jobs", "slurm_status", "notebook_grid"},
    {"slurm", "dry_run", "status"},
    {"run", "reinit_view", "setup_plots", "lws_judges"},
    {"lws_claims", "timing_claims"},
    {"activity_plots", "widgets", "lws_plots"},
    {"heat_maps", "live", "pictures", "schedule_view"},
    {"live_schedules"},
    {"notebook", "tasks"},
]
"""Each module imports from lower levels only, or from its own without a circle."""
ALLOWED = {"torch", "numpy", "pandas"}


def imports(path: Path) -> set[str]:
    """Return the modules that `path` imports when it is itself imported."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own(path: Path) -> set[str]:
    """Return the package's modules among `imports`."""
    names = {
        name.split(".")[1]
        for name in imports(path)
        if name.startswith("lazyr") and "." in name
    }
    return names & {other.stem for other in PACKAGE.glob("*.py")}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.stem)
def test_imports_point_one_way(path):
    level = {name: n for n, names in enumerate(LEVELS) for name in names}
    if path.stem != "__init__":
        assert path.stem in level, "say in LEVELS where the new module stands"
    for name in own(path):
        assert level[name] <= level[path.stem], name


def test_there_is_no_circle():
    left = {path.stem: own(path) for path in PACKAGE.glob("*.py")}
    while left:
        free = {name for name, needed in left.items() if not needed & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


def test_what_a_borrower_needs_is_there_by_name():
    script = "import sys, lazyrich_helpers; print('torch' in sys.modules)"
    process = tiny.python("-c", script)
    assert process.communicate(timeout=60) == ("False\n", "")
    for name in dir(lazyrich_helpers):
        assert getattr(lazyrich_helpers, name).__name__ == name
    assert {"LayerwiseSparse", "reinitialize", "TopKAllBottoms"} <= {
        *dir(lazyrich_helpers)
    }
    with pytest.raises(AttributeError, match="has no attribute 'reinitialise'"):
        lazyrich_helpers.reinitialise  # noqa: B018


def test_nothing_imports_from_the_book():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, path
        assert not any(name.split(".")[0] == "book" for name in imports(path))


def installed() -> dict[str, set[str]]:
    """Return the importable names of everything installed, by distribution."""
    names: dict[str, set[str]] = {}
    for module, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            key = re.sub(r"[-_.]+", "-", distribution).lower()
            names.setdefault(key, set()).add(module)
    return names


def needed(distributions: set[str]) -> set[str]:
    """Return these distributions with all they require, extras left out."""
    found: set[str] = set()
    todo = list(distributions)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform
        found.add(name)
        words = (line for line in requirements if "extra ==" not in line)
        todo += [re.match(r"[\w.-]+", line)[0] for line in words]
    return found


LOADING = "Loading torch.\n"

BARE = """
import json, sys
from importlib.machinery import PathFinder
blocked = set(json.loads(sys.argv.pop(1)))
class Without:
    finders = list(sys.meta_path)
    find_distributions = staticmethod(PathFinder.find_distributions)
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in blocked:
            specs = (finder.find_spec(name, path, target) for finder in self.finders)
            return next((spec for spec in specs if spec), None)
sys.meta_path[:] = [Without()]
import lazyrich_helpers
from lazyrich_helpers.run import main
status = main(sys.argv[1:])
from lazyrich_helpers import LayerwiseSparse, TopKAllBottoms
from lazyrich_helpers import movement_order, reinitialize
modules = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps([status, lazyrich_helpers.__file__, modules]))
"""


def test_a_checkout_trains_where_there_is_only_torch_and_numpy(tmp_path, store):
    checkout = tmp_path / "checkout"
    shutil.copytree(PACKAGE, checkout / PACKAGE.name)
    modules = installed()
    present = set.union(*(modules.get(name, set()) for name in needed(ALLOWED)))
    blocked = set.union(*modules.values()) - present - set(sys.stdlib_module_names)
    blocked -= {PACKAGE.name}
    assert "pytest" in blocked and not blocked & ALLOWED
    words = ["-c", BARE, json.dumps(sorted(blocked)), *tiny.TINY]
    process = tiny.python(*words, folder=checkout)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    status, file, seen = json.loads(out.splitlines()[-1])
    assert (status, err) == (0, LOADING) and "2 done now" in out, out
    assert Path(file).is_relative_to(checkout)
    assert len(store.ids()) == 2
    assert not blocked & set(seen) and "pandas" not in seen


def test_training_imports_nothing_to_draw_with():
    code = (
        "import sys, json, torch, numpy; bare = set(sys.modules);"
        "import lazyrich_helpers.tasks;"
        "print(json.dumps(sorted(set(sys.modules) - bare)))"
    )
    out, _ = tiny.python("-c", code).communicate(timeout=60)
    added = {name.split(".")[0] for name in json.loads(out)}
    assert "lazyrich_helpers" in added
    assert not added - set(sys.stdlib_module_names) - {PACKAGE.name, "numpy", "torch"}
