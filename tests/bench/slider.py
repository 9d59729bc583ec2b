"""A move of the re-initialization slider over a reader's own network."""

from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.reinit_curves import Reinit
from lazyrich_helpers.notebook.live import PREVIEW_IMAGES, ReinitExplorer
from tests.bench.sample import in_turns, seconds
from tests.bench.setting import Options, after_ten_steps

TITLE = "slider: one move of γ; milliseconds"


def rows(options: Options) -> list[dict[str, object]]:
    """Measure one network, w = 1,000, d = 1; target: below 100 ms while it moves."""
    trained = after_ten_steps(options, depth=1)
    measured = {Reinit.name: Reinit().result(trained)}
    record = Record(trained.config, status="ok", measures=measured)
    explorer = ReinitExplorer([trained], [record])
    explorer._rest.begin = lambda: None  # what a rest evaluates is the other row
    ways = {"moves": lambda: explorer.preview("γ"), "rests": explorer.settle}
    timed = {name: lambda way=way: seconds(way) for name, way in ways.items()}
    found = in_turns(timed, num=options.repetitions if not options.quick else 1)
    images = {"moves": PREVIEW_IMAGES, "rests": len(trained.data.test)}
    return [
        {
            "while it": name,
            "width": trained.config.columns()["width"],
            "test images": num,
            "ms": found[name].scaled(1e3),
        }
        for name, num in images.items()
    ]
