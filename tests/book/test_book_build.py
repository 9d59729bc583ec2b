"""The book's build extension: what it digests, and what it does without npm."""

import importlib.util
import io
import re
import tarfile
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from sphinx.errors import ExtensionError

from tests.tiny import ROOT


@pytest.fixture
def build(monkeypatch, tmp_path):
    """The extension, with a small package and a few records of its own."""
    path = ROOT / "book" / "extensions" / "book_build.py"
    spec = importlib.util.spec_from_file_location("book_build", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("PACKAGE", "RECORDS", "STATIC"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(module, name, tmp_path / name)
    monkeypatch.setattr(module, "LIB", tmp_path / "STATIC" / "lib")
    (tmp_path / "PACKAGE" / "train.py").write_text("rate = 1")
    (tmp_path / "RECORDS" / "a.json").write_text("{}")
    return module


def test_digest_changes_with_package_records_and_budget(build, monkeypatch):
    digests = [build.outputs_digest()]
    assert build.outputs_digest() == digests[0]
    for folder, name in (
        (build.PACKAGE, "train.py"),
        (build.PACKAGE, "view.js"),
        (build.PACKAGE, "neighbours/lazy.py"),
        (build.RECORDS, "a.json"),
        (build.RECORDS, "deep/b.npz"),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("rate = 2")
        digests.append(build.outputs_digest())
    monkeypatch.setenv("LAZYRICH_BUDGET", "smoke")
    digests.append(build.outputs_digest())
    monkeypatch.setattr(build, "version_of", lambda package: "0.0")
    digests.append(build.outputs_digest())
    assert len(set(digests)) == len(digests)


def test_digest_ignores_locks_and_compiled_files(build):
    before = build.outputs_digest()
    for folder in (build.RECORDS / ".locks", build.PACKAGE / "__pycache__"):
        folder.mkdir()
        (folder / "x.json").touch()
        (folder / "x.py").touch()
    assert build.outputs_digest() == before


def test_only_the_last_few_caches_are_kept(build, tmp_path, monkeypatch):
    app = SimpleNamespace(outdir=tmp_path / "_build" / "html")
    config = SimpleNamespace()
    for budget in "abcdefg":
        monkeypatch.setenv("LAZYRICH_BUDGET", budget)
        build.choose_cache(app, config)
    kept = list((tmp_path / "_build" / ".jupyter_cache").iterdir())
    assert len(kept) == build.CACHES_KEPT
    assert Path(config.nb_execution_cache_path) in kept


# --- What is installed ----------------------------------------------------------------


def pins() -> dict[str, str]:
    """Return distribution → version, as `requirements.txt` pins them."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    words = (line.split("#")[0].strip() for line in lines)
    pairs = (word.split("==") for word in words if "==" in word)
    return {plain(name): version for name, version in pairs}


def plain(name: str) -> str:
    """Return a distribution's name as registries compare them."""
    return re.sub("[-_.]+", "-", name).lower()


BENEATH = {"sphinx", "docutils", "myst-parser", "markdown-it-py", "pygments"}
BENEATH |= {"pydata-sphinx-theme", "sphinxcontrib-bibtex", "pybtex", "jupyter-cache"}
BENEATH |= {"jupyter-server", "nbclient", "nbconvert", "nbformat", "ipykernel"}
BENEATH |= {"ipython", "widgetsnbextension"}


def test_what_decides_the_pages_is_pinned():
    """Every extension, and what turns text, cells and outputs into HTML."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    extensions = config["sphinx"]["config"]["extensions"]
    found = packages_distributions()
    names = {plain(name) for each in extensions for name in found.get(each, ())}
    assert {"myst-nb", "sphinx-book-theme"} < names
    assert names | BENEATH <= pins().keys()


def test_what_is_pinned_is_what_is_tested():
    for name, pinned in pins().items():
        assert version(name).split("+")[0] == pinned, name


def test_jupyter_book_2_finds_a_file_that_stops_it():
    """Else it offers to hide `_config.yml` and `_toc.yml`, and `Enter` means yes."""
    guard = yaml.safe_load((ROOT / "myst.yml").read_text())
    assert guard == {"version": guard["version"]}, "nothing that it could go on with"
    assert "jupyter-book 1 " in guard["version"]
    assert f"jupyter-book=={pins()['jupyter-book']}".startswith("jupyter-book==1.")


# --- Scripts from npm -----------------------------------------------------------------


def sphinx_config() -> SimpleNamespace:
    """The settings that the extension adds to."""
    return SimpleNamespace(html_static_path=[], html_css_files=[], html_js_files=[])


def test_without_npm_pages_fall_back_and_the_strict_build_stops(build, monkeypatch):
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    monkeypatch.delenv("LAZYRICH_REQUIRE_OFFLINE", raising=False)
    config = sphinx_config()
    build.serve_own_scripts(None, config)
    assert not hasattr(config, "mathjax_path")
    assert config.html_css_files == ["book.css"]
    monkeypatch.setenv("LAZYRICH_REQUIRE_OFFLINE", "1")
    with pytest.raises(ExtensionError, match="npm is not on PATH"):
        build.serve_own_scripts(None, sphinx_config())


@pytest.mark.parametrize("view", [True, False])
def test_the_widget_manager_is_left_out_where_there_is_no_widget(build, view):
    config = SimpleNamespace(nb_ipywidgets_js={"lib/embed-amd.js": {}})
    state = {"type": "application/vnd.jupyter.widget-state+json", "body": "{}"}
    scripts = [
        SimpleNamespace(filename="_static/theme.js", attributes={}),
        SimpleNamespace(filename="_static/lib/embed-amd.js", attributes={}),
        SimpleNamespace(filename=None, attributes=state),
        SimpleNamespace(filename=None, attributes={"body": "1"}),
    ]
    shown = '<script type="application/vnd.jupyter.widget-view+json">'
    context = {"body": shown if view else "<p></p>", "script_files": list(scripts)}
    app = SimpleNamespace(config=config)
    build.only_where_a_widget_is(app, "page", "page.html", context, None)
    kept = scripts if view else [scripts[0], scripts[3]]
    assert context["script_files"] == kept
    empty = {"script_files": list(scripts)}  # a page that Sphinx makes: search
    build.only_where_a_widget_is(app, "search", "search.html", empty, None)
    assert empty["script_files"] == [scripts[0], scripts[3]]


def test_a_package_that_is_not_the_pinned_one_is_refused(build, monkeypatch):
    def forge(command, cwd, **_):
        (Path(cwd) / "requirejs-2.3.8.tgz").write_bytes(b"something else")

    monkeypatch.setattr(build.subprocess, "run", forge)
    with pytest.raises(build.AssetsUnavailable, match="not the file we pinned"):
        build.install_assets()
    assert not build.LIB.exists()


def test_files_are_taken_to_where_the_patterns_say(build, tmp_path):
    packed = tmp_path / "package.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        for name in ("dist/a.js", "dist/deep/b.woff", "dist/c.map", "../evil.js"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    package = build.NpmPackage(
        name="package",
        version="1",
        sha512="",
        files={"dist/a.js": ("", "twice"), "dist/deep/*": ("fonts",)},
    )
    build.unpack(package, packed, tmp_path / "lib")
    found = {
        path.relative_to(tmp_path / "lib").as_posix(): path.read_text()
        for path in (tmp_path / "lib").rglob("*.*")
    }
    assert found == {
        "a.js": "dist/a.js",
        "twice/a.js": "dist/a.js",
        "fonts/b.woff": "dist/deep/b.woff",
    }
