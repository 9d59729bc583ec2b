"""Buttons that run a chapter: where there is a repository, on notebooks."""

import importlib.util
from types import SimpleNamespace

import pytest

from tests.tiny import ROOT


@pytest.fixture
def launch():
    path = ROOT / "book" / "extensions" / "launch.py"
    spec = importlib.util.spec_from_file_location("launch", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("url", ["", None, "https://github.com/someone/book"])
def test_there_are_buttons_where_there_is_a_repository(launch, url):
    services = {"colab_url": "https://colab.research.google.com"}
    options = {"repository_url": url, "launch_buttons": services}
    launch.need_a_repository(None, SimpleNamespace(html_theme_options=options))
    assert options["launch_buttons"] == (services if url else {})


@pytest.mark.parametrize(("suffix", "left"), [(".ipynb", 2), (".md", 1)])
def test_pages_of_text_have_none(launch, suffix, left):
    env = SimpleNamespace(doc2path=lambda page: page + suffix)
    buttons = [{"label": "launch-buttons"}, {"type": "group"}]
    context = {"header_buttons": buttons}
    launch.only_notebooks(SimpleNamespace(env=env), "a", "page.html", context, None)
    assert len(context["header_buttons"]) == left
    assert context["header_buttons"][-1] == {"type": "group"}
