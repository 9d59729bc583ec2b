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
ORDER = (
    {"config", "places", "random_streams"},
    {"data"},
    {"models"},
    {"reinit", "lws"},
    {"training"},
    {"measures"},
    {"experiments"},
    {"runner", "analysis"},
    {"papers", "notebook"},
    {"run"},
)
"""Each room imports from those before it; neighbours on a line know nothing of each
other, and within a room there is no circle."""
ALLOWED = {"torch", "numpy", "pandas", "filelock"}


MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py")


def imports(path: Path) -> set[str]:
    """Return the modules that `path` imports, wherever in it, types' included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def dotted(path: Path) -> str:
    """Return a module's name: `lazyrich_helpers.data.sources`."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def own(path: Path) -> set[str]:
    """Return the package's modules among `imports`."""
    return imports(path) & {dotted(other) for other in MODULES}


def room(module: str) -> str:
    """Return the folder that a module of the package is in, or its name."""
    return module.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_one_way(path):
    floor = {name: n for n, names in enumerate(ORDER) for name in names}
    here = room(dotted(path))
    assert here in floor, "say in ORDER where the new room stands"
    for name in own(path):
        assert room(name) == here or floor[room(name)] < floor[here], name


def test_every_room_says_what_it_is_for():
    for name in {room(dotted(path)) for path in MODULES if path.parent != PACKAGE}:
        folder = PACKAGE / name
        readme = (folder / "README.md").read_text()
        assert readme.startswith(f"# {folder.name}/\n\n**") and "**One more" in readme
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))


TWICE = {"main", "in_words"}
"""Names that several rooms define: programs, and what says a value of theirs."""


def public(path: Path) -> set[str]:
    """Return the public functions and classes that a module defines."""
    kinds = ast.FunctionDef | ast.ClassDef
    nodes = ast.parse(path.read_text()).body
    names = {node.name for node in nodes if isinstance(node, kinds)}
    return {name for name in names if not name.startswith("_")}


def test_no_name_is_defined_in_two_rooms():
    homes: dict[str, set[str]] = {}
    for path in MODULES:
        for name in public(path) - TWICE:
            homes.setdefault(name, set()).add(room(dotted(path)))
    assert {name: rooms for name, rooms in homes.items() if len(rooms) > 1} == {}


BUILDS = ("data", "models", "lws", "training", "measures.costs")
"""What networks, plans and data are made with."""
NAMES = {
    *("lws.schedules", "lws.schedules.in_words"),
    *("training.run_config", "training.run_config.RunConfig"),
    "training.run_config.num_steps",
    *("measures.costs", "measures.costs.num_parameters", "measures.costs.step_share"),
    *("measures.costs.forward_flops", "measures.costs.backward_flops"),
    "measures.costs.backward_share",
}
"""What of it only names or counts."""


ANALYSIS = [path for path in MODULES if room(dotted(path)) == "analysis"]


@pytest.mark.parametrize("path", ANALYSIS, ids=dotted)
def test_tables_claims_and_figures_read_records_and_build_nothing(path):
    prefix = "lazyrich_helpers."
    found = {n.removeprefix(prefix) for n in imports(path) if n.startswith(prefix)}
    builds = {n for n in found if any(f"{n}.".startswith(f"{b}.") for b in BUILDS)}
    assert builds <= NAMES
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in ("blueprint", "plan", "build", "load")


def test_there_is_no_circle():
    left = {dotted(path): own(path) for path in MODULES}
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
