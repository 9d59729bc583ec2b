"""The words that `python -m lazyrich_helpers.run` understands; read without torch."""

import argparse
import dataclasses
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from lazyrich_helpers.experiments.scale import LwsScale
from lazyrich_helpers.runner.options import SHARDS, SlurmOptions

PROGRAM = "python -m lazyrich_helpers.run"
COMMANDS = {
    "train RECIPE ...": "train what is missing of recipes",
    "list [RECIPE ...]": "show how far recipes are, all unless named",
    "retry [RECIPE ...]": "train again what failed",
    "status": "show how runs on a Slurm cluster stand",
    "cancel": "take all jobs back from a Slurm cluster",
    "notebook CHAPTER [NAME=VALUE,VALUE ...]": "execute a chapter at points of a grid",
    "study [STUDY ...]": "compute studies of the neighbouring papers; list all of them",
}
"""Words → what they do."""
NAMES = [words.split()[0] for words in COMMANDS]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, not a page of usage.
        self.exit(2, f"error: {message}; --help explains.\n")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return what the words ask for; a recipe's name first stands for `train`."""
    if words and words[0] not in NAMES and not words[0].startswith("-"):
        words = ["train", *words]
    parser = _Parser(prog=PROGRAM, description="Recipes → records.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made: dict[str, argparse.ArgumentParser] = {}
    for name, (usage, meaning) in zip(NAMES, COMMANDS.items(), strict=True):
        made[name] = commands.add_parser(
            name,
            help=meaning,
            usage=f"{PROGRAM} {usage} [options]",
            description=f"{meaning.capitalize()}.",
        )
    for name in ("train", "retry"):
        _add_recipes(made[name], "+" if name == "train" else "*")
        _add_means(made[name].add_argument_group("how, and where"))
        slurm = made[name].add_argument_group("on a Slurm cluster")
        slurm.add_argument("--executor", choices=("local", "slurm"), default="local")
        _add_fields(slurm, SlurmOptions, "slurm-")
    _add_recipes(made["list"], "*")
    made["list"].add_argument("--missing", action="store_true", help="and what lacks")
    made["list"].add_argument("--failed", action="store_true", help="and what failed")
    for name in ("status", "cancel"):
        _add_store(made[name])
    _add_notebook(made["notebook"])
    study = made["study"].add_argument
    study("studies", nargs="*", metavar="STUDY", help="none: say how far all are")
    study("--budget", default="paper", help="smoke, laptop or paper, the default")
    study("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    return parser.parse_args(words)


def _version() -> str:
    try:
        return f"lazyrich-helpers {metadata.version('lazyrich-helpers')}"
    except metadata.PackageNotFoundError:
        return "lazyrich-helpers, a checkout that is not installed"


def _add_recipes(parser: argparse.ArgumentParser, num: str) -> None:
    parser.add_argument("recipes", nargs=num, metavar="RECIPE", help="`list` has them")
    _add_store(parser)
    _add_fields(parser.add_argument_group("what is run"), LwsScale)


def _add_store(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--budget", help="smoke, laptop or paper, the default")
    add("--records", help="folder of records; book/records unless told")


def _add_means(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--dry-run", action="store_true", help="say what it would do")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    add("--threads", type=int, help="most CPU threads; small networks use one")
    add("--workers", type=int, help="processes to share the work, the best unless told")
    add("--time-budget", help="begin nothing after it: 30m")
    add("--shard", choices=SHARDS, help="processes that torchrun started share a net")


def _add_notebook(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("chapter", metavar="CHAPTER", help="its number, its name or a notebook's path")
    add("grid", nargs="*", metavar="NAME=VALUE,VALUE", help="values of a parameter")
    add("--workers", type=int, default=1, help="notebooks at a time")


def _add_fields(group: argparse._ArgumentGroup, kind: type, prefix: str = "") -> None:
    """Add an option for each field of a dataclass; None where it is not given.

    Fields are annotated with their help: `Annotated[int, "passes over the images"]`.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        annotated, meaning = get_args(hints[field.name])
        entries = get_args(annotated)
        options: dict[str, Any] = {"type": entries[0] if entries else annotated}
        if get_origin(annotated) is Sequence:
            options["nargs"] = "+"
        elif get_origin(annotated) is tuple:
            options["action"] = "append"
        name = prefix + field.name.replace("_", "-")
        group.add_argument(f"--{name}", help=meaning, metavar="X", **options)
