"""A move of the re-initialization slider over a reader's own network."""

from lazyrich_helpers.initialization import flat_parameters
from lazyrich_helpers.live import PREVIEW_IMAGES, ReinitExplorer
from lazyrich_helpers.records import Record
from lazyrich_helpers.reinit import Reinit
from lazyrich_helpers.tables import reinit_table
from lazyrich_helpers.train import Trained, new_network, train
from tests.bench.sample import in_turns, seconds
from tests.bench.setting import Options, config, first_steps

TITLE = "slider: one move of γ, picture included; milliseconds"


def rows(options: Options) -> list[dict[str, object]]:
    """Measure one network, w = 1,000, d = 1; target: below 100 ms while it moves."""
    width = 1000 if not options.quick else 16
    run = config(options, width=width, depth=1, num_epochs=1)
    data = first_steps(run.data.load(), 10, run.training.batch_size)
    network = new_network(run, data)
    initial = flat_parameters(network)
    for _ in train(network, data, run):
        pass
    trained = Trained(run, data, network, initial, flat_parameters(network))
    measured = {Reinit.name: Reinit().result(trained)}
    record = Record(run, status="ok", measures=measured)
    explorer = ReinitExplorer([trained], reinit_table([record]))
    explorer._rest.begin = lambda: None  # what a rest evaluates is the other row
    ways = {"moves": lambda: explorer.preview("active"), "rests": explorer.settle}
    timed = {name: lambda way=way: seconds(way) for name, way in ways.items()}
    found = in_turns(timed, num=options.repetitions if not options.quick else 1)
    images = {"moves": PREVIEW_IMAGES, "rests": len(data.test)}
    return [
        {
            "while it": name,
            "width": width,
            "test images": num,
            "ms": found[name].scaled(1e3),
        }
        for name, num in images.items()
    ]
