"""Folders that the reader names are those folders, `~` included."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lazyrich_helpers import places
from lazyrich_helpers.data.sources import data_folder
from lazyrich_helpers.experiments.records import computed_store, recorded_store
from lazyrich_helpers.models.imagenet import FILE, weights_path

READERS = {
    "LAZYRICH_DATA": data_folder,
    "LAZYRICH_WEIGHTS": lambda: weights_path().parent,
    "LAZYRICH_STORE": lambda: computed_store().folder.parent,
    "LAZYRICH_RECORDS": lambda: recorded_store().folder,
}


@pytest.mark.parametrize("variable", READERS)
def test_a_tilde_is_the_home_folder(variable, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/lazy")
    assert READERS[variable]() == tmp_path / "lazy"


@pytest.mark.parametrize("variable", READERS)
def test_a_home_folder_of_nobody_is_a_sentence(variable, monkeypatch):
    monkeypatch.setenv(variable, "~nobody-of-this-name/lazy")
    match = rf"^{variable} must be .*; got '~nobody-of-this-name/lazy'\.$"
    with pytest.raises(ValueError, match=match):
        READERS[variable]()


def test_a_tilde_works_for_a_weights_file_too(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAZYRICH_WEIGHTS", f"~/{FILE}")
    assert weights_path() == tmp_path / FILE


def test_no_variable_is_read_elsewhere():
    """A folder variable that is read without `chosen` would miss the `~`."""
    folders = ("lazyrich_helpers", "book/extensions")
    sources = [p for folder in folders for p in (places.ROOT / folder).rglob("*.py")]
    found = [
        f"{path.name}: {variable}"
        for path in sources
        for variable in READERS
        for line in path.read_text().splitlines()
        if variable in line and "environ" in line
    ]
    assert found == []


def test_the_module_needs_the_standard_library_alone():
    code = "import sys, lazyrich_helpers.places; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=places.ROOT, capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr


def test_folders_made_for_nothing_go(tmp_path):
    deep = tmp_path / "a" / "b"
    with places.left_as_found(deep):
        deep.mkdir(parents=True)
    assert list(tmp_path.iterdir()) == []
    with places.left_as_found(deep):
        deep.mkdir(parents=True)
        Path(tmp_path, "a", "kept").touch()
    assert [path.name for path in Path(tmp_path, "a").iterdir()] == ["kept"]
    with places.left_as_found(tmp_path / "a"):
        Path(tmp_path, "a", "kept").unlink()
    assert Path(tmp_path, "a").exists(), "it was there before"


def test_without_a_checkout_folders_are_in_the_working_one(tmp_path):
    """As where the wheel was installed: the package stands alone."""
    installed = tmp_path / "site-packages"
    shutil.copytree(places.PACKAGE, installed / places.PACKAGE.name)
    code = "from lazyrich_helpers import places; print(places.ROOT, places.IS_CHECKOUT)"
    for folder, expected in (
        (tmp_path, f"{tmp_path} False"),
        (installed, f"{installed} False"),
    ):
        environment = os.environ | {"PYTHONPATH": str(installed)}
        words = [sys.executable, "-c", code]
        done = subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.stdout == f"{expected}\n", done.stderr
    assert places.IS_CHECKOUT and (places.ROOT / "_toc.yml").is_file()
