"""`python -m tests.bench [name...] [--quick]`: print a table per benchmark."""

import argparse
import sys

from tests.bench import convolution, kept
from tests.bench.setting import Options
from tests.bench.table import machine, markdown

BENCHMARKS = {"convolution": convolution, "kept": kept}


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    parser.add_argument("--epochs", type=int, default=20, help="of kept")
    parser.add_argument("--repetitions", type=int, default=9, help="of convolution")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"name must be one of {', '.join(BENCHMARKS)}; got {unknown}")
    chosen = Options(options.quick, options.epochs, options.repetitions)
    print(f"Median (quartiles). {machine()}\n", flush=True)
    for name in options.names or BENCHMARKS:
        benchmark = BENCHMARKS[name]
        print(markdown(benchmark.TITLE, benchmark.rows(chosen)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
