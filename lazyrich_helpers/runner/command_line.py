"""The words that `python -m lazyrich_helpers.run` understands."""

import argparse
import re
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, not a page of usage.
        self.exit(2, f"error: {message}; --help explains.\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(
        prog="python -m lazyrich_helpers.run",
        description="Train what is missing of the named recipes. In front of them, or "
        "alone for all, `list` shows how far they are, and `retry` does what failed.",
    )
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="or: list, retry")
    _add_choices(parser.add_argument_group("what is run"))
    _add_means(parser.add_argument_group("how, on this machine"))
    _add_questions(parser.add_argument_group("asking first, and afterwards"))
    _add_slurm(parser.add_argument_group("on a Slurm cluster"))
    _add_notebooks(parser.add_argument_group("a chapter at every point of a grid"))
    return parser


def _add_choices(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--budget", help="smoke, laptop or paper, the default")
    group.add_argument("--dataset", help="digits, mnist, fashion_mnist or cifar10")
    group.add_argument("--widths", type=int, nargs="+", help="units per layer")
    group.add_argument("--seeds", type=int, nargs="+", help="one run each")
    group.add_argument("--lrs", type=float, nargs="+", help="learning rates")
    group.add_argument("--num-epochs", type=int, help="passes over the data")
    group.add_argument("--rhos", type=float, nargs="+", help="probabilities")
    group.add_argument("--ks", type=int, nargs="+", help="layers at top or bottom")
    group.add_argument("--train-size", type=int, help="training images")
    group.add_argument("--precision", help="fp32, bf16 or tf32 (on a GPU)")


def _add_means(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    group.add_argument(
        "--threads",
        type=int,
        help="most CPU threads, for all processes together; small networks use one",
    )
    group.add_argument(
        "--workers",
        type=int,
        help="processes to share the work; as many as serve best unless told",
    )
    group.add_argument("--time-budget", help="begin nothing after it: 30m")
    group.add_argument("--records", help="folder of records; book/records unless told")


def _add_questions(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dry-run", action="store_true", help="say what it would do")
    group.add_argument("--missing", action="store_true", help="list what lacks")
    group.add_argument("--failed", action="store_true", help="list what failed")


def _add_slurm(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--executor", choices=("local", "slurm"), default="local", help="who runs it"
    )
    group.add_argument("--slurm-partition", default="", help="the default if left out")
    group.add_argument("--slurm-time", default="1h", help="of a job, such as 90m")
    group.add_argument("--slurm-gpus-per-task", type=int, default=0, help="of a job")
    group.add_argument("--slurm-cpus-per-task", type=int, default=1, help="of a job")
    group.add_argument(
        "--slurm-setup",
        action="append",
        default=[],
        help="a shell line; repeatable",
    )
    group.add_argument(
        "--slurm-array-parallelism", type=int, default=50, help="most jobs at a time"
    )
    group.add_argument(
        "--slurm-runs-per-job", type=int, default=0, help="0: about ten minutes' worth"
    )
    group.add_argument("--status", action="store_true", help="how submitted runs stand")
    group.add_argument(
        "--cancel",
        nargs="?",
        const="",
        metavar="SUBMISSION",
        help="take jobs back; those of all submissions unless one is named",
    )


def _add_notebooks(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--notebook", metavar="CHAPTER", help="4, its name or its file")
    group.add_argument(
        "--grid",
        nargs="+",
        default=[],
        metavar="NAME=VALUES",
        help="widths=10,100 seeds=0..4: a notebook for each combination",
    )
    group.add_argument("--folder", help="for them; .lazyrich/reports unless told")


def parse_duration(text: str, name: str = "time-budget") -> float:
    """Return the seconds in `90s`, `30m` or `1.5h`.

    Raises:
        ValueError: If `text`, the value of `name`, is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise ValueError(
            f"{name} must be a number with s, m or h, such as 30m; got {text!r}."
        )
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
