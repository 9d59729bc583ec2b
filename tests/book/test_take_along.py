"""The book gives its executed notebooks and its records to those who ask."""

import importlib.util
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.tiny import ROOT


@pytest.fixture
def take(monkeypatch, tmp_path):
    path = ROOT / "book" / "extensions" / "take_along.py"
    spec = importlib.util.spec_from_file_location("take_along", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "records").mkdir()
    monkeypatch.setattr(module, "RECORDS", tmp_path / "records")
    return module


@pytest.fixture
def app(tmp_path):
    out = tmp_path / "html"
    for folder in (out / "_static", out / "_sources" / "book"):
        folder.mkdir(parents=True)
    return SimpleNamespace(
        outdir=str(out),
        builder=SimpleNamespace(format="html"),
        config=SimpleNamespace(nb_execution_cache_path="caches/one"),
    )


@pytest.fixture
def committed():
    """A few committed records, by name."""
    return sorted((ROOT / "book" / "records").glob("*.json"))[:3]


def test_all_records_are_one_archive_the_same_each_time(take, app, committed):
    for path in committed:
        (take.RECORDS / path.name).write_bytes(path.read_bytes())
    (take.RECORDS / "a.npz").write_text("arrays stay at home")
    take.pack_records(app, None)
    archive = Path(app.outdir, "_static", "records.zip")
    first = archive.read_bytes()
    with zipfile.ZipFile(archive) as packed:
        names = [f"records/{path.name}" for path in committed]
        assert packed.namelist()[: len(names)] == names
        tables = packed.namelist()[len(names) :]
        assert {Path(name).parent.name for name in tables} == {"tables"}
        runs = pd.read_csv(packed.open("tables/runs.csv"))
        assert packed.read(names[1]) == committed[1].read_bytes()
    assert runs.run_id.tolist() == [path.stem for path in committed]
    archive.unlink()
    take.pack_records(app, None)
    assert archive.read_bytes() == first


def test_the_archive_is_made_anew_when_what_it_is_of_changes(take, app):
    archive = Path(app.outdir, "_static", "records.zip")
    take.pack_records(app, None)
    before = archive.stat().st_mtime_ns
    take.pack_records(app, None)
    assert archive.stat().st_mtime_ns == before
    app.config.nb_execution_cache_path = "caches/other"
    take.pack_records(app, None)
    assert archive.stat().st_mtime_ns > before


def test_the_download_is_what_was_executed(take, app):
    executed = Path(app.outdir).parent / "jupyter_execute" / "book"
    executed.mkdir(parents=True)
    (executed / "one.ipynb").write_text("with outputs")
    (executed / "other.ipynb").write_text("of another book")
    source = Path(app.outdir, "_sources", "book", "one.ipynb")
    source.write_text("without")
    take.hand_out_outputs(app, RuntimeError("red"))
    assert source.read_text() == "without"
    take.hand_out_outputs(app, None)
    assert source.read_text() == "with outputs"
    assert not source.with_name("other.ipynb").exists()


def test_a_page_says_what_it_asks(take):
    body = "<h1>T</h1><p><em>Does it\n move?</em></p><p>More.</p>"
    context = {"body": body, "title": "A &amp; <em>b</em>"}
    take.describe_page(None, "book/a", "page.html", context, None)
    assert 'name="description" content="Does it move?"' in context["metatags"]
    assert 'property="og:title" content="A &amp; b"' in context["metatags"]
    bare = {"body": ""}
    take.describe_page(None, "search", "search.html", bare, None)
    assert bare == {"body": ""}


def test_a_fold_is_read_by_what_it_shows(take):
    context = {"body": '<summary aria-label="Toggle hidden content"><p>Setup</p>'}
    take.name_folds(None, "book/a", "page.html", context, None)
    assert context["body"] == "<summary><p>Setup</p>"


def test_the_pdf_has_all_pages_in_reading_order():
    path = ROOT / "book" / "extensions" / "print_pdf.py"
    spec = importlib.util.spec_from_file_location("print_pdf", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    nested = {"file": "b", "sections": [{"file": "b2"}]}
    parts = [{"caption": "x", "chapters": [nested, {"file": "c"}]}]
    assert [*module.pages({"root": "a", "parts": parts})] == ["a", "b", "b2", "c"]
