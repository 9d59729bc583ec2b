"""A recipe, a model and a schedule of a reader, in a file outside the package."""

import re
import sys

import pytest

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.places import ROOT
from lazyrich_helpers.run import main
from tests import tiny


@pytest.fixture
def file(tmp_path):
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.S)
    (code,) = (block for block in blocks if "class TanhNet" in block)
    path = tmp_path / "my_recipes.py"
    path.write_text(code)
    return path


def test_the_readmes_recipe_trains_and_its_records_are_not_the_books(file, store):
    words = [f"{file}:in_turn", "--num-epochs", "2", "--workers", "2"]
    for expected in ("4 done now, 0 done before", "0 done now, 4 done before"):
        process = tiny.python("-m", "lazyrich_helpers.run", *words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert expected in out and "my_tanh_net w=20 lr=0.01 InTurn()" in out
    assert len(store.ids()) == 4


def test_what_is_not_there_is_said(file, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, words in (
        (f"{file.with_name('no.py')}:in_turn", "in a file that is there"),
        (f"{file}:at_random", "a function that .*my_recipes.py defines"),
        ("figure-99", "or of your own, `file.py:function`; got 'figure-99'"),
    ):
        with pytest.raises(ValueError, match=words):
            make_recipe(name, "smoke")
    other = file.with_name("json.py")
    other.write_text(file.read_text())
    make_recipe(f"{file}:in_turn", "smoke")
    script = f"import sys; sys.path[:] = {sys.path}; import json; print(json.loads)"
    out, err = tiny.python("-c", script).communicate(timeout=60)
    assert "function loads" in out, err  # the folder's own hides no other
    with pytest.raises(ValueError, match="in a file named as no other module is"):
        make_recipe(f"{other}:in_turn", "smoke")


BARE = """
from lazyrich_helpers.experiments.recipes import exhibit, relu_net_configs
from lazyrich_helpers.experiments.scale import SMOKE


def runs(scale):
    return relu_net_configs(1, scale)


bare = exhibit({"smoke": SMOKE})(runs)
"""


def test_a_recipe_of_one_budget_without_a_docstring_is_listed(tmp_path, store, capsys):
    file = tmp_path / "bare_recipes.py"
    file.write_text(BARE)
    assert main(["list", f"{file}:bare"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{file}:bare"
    (line,) = rest
    assert line.startswith("  smoke: ") and line.endswith(" missing")
    for words in (["--budget", "paper"], ["--widths", "0"]):
        assert main(["list", f"{file}:bare", *words]) == 2
        assert capsys.readouterr().err.startswith("error: ")
