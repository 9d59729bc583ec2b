"""The buttons that run a chapter on Binder or Colab: from one setting, or none.

`repository.url` in `_config.yml` is that setting. `python -m tests.refresh_outputs`
writes it into each notebook's first cell as well, which installs the package where it
is missing.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def need_a_repository(app: Sphinx, config: Config) -> None:
    """Show no button where nobody could fetch the book from."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        options["launch_buttons"] = {}


def only_notebooks(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Take the buttons off pages written as text, which neither service runs."""
    if not app.env.doc2path(page).endswith(".ipynb"):
        context["header_buttons"] = [
            button
            for button in context.get("header_buttons", [])
            if button.get("label") != "launch-buttons"
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect both; Sphinx calls this once, before it reads any page."""
    app.connect("config-inited", need_a_repository)
    app.connect("html-page-context", only_notebooks, priority=600)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
