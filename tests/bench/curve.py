"""Two re-initialization curves against their bare forward passes."""

from lazyrich_helpers.measures.reinit_curves import reinit_counts
from lazyrich_helpers.reinit.reinitialization import SCENARIOS, movement_order
from tests.bench import plain
from tests.bench.sample import in_turns, seconds
from tests.bench.setting import Options, after_ten_steps

TITLE = "curve: a γ and an ε curve, ranking included, against their forward passes"
FRACTIONS = tuple(k / 39 for k in range(40))


def rows(options: Options) -> list[dict[str, object]]:
    """Measure both depths at w = 1,000; target: at most 1.2 times the passes."""
    return [_row(options, depth) for depth in (1, 4)]


def _row(options: Options, depth: int) -> dict[str, object]:
    points = FRACTIONS if not options.quick else (0.0, 1.0)
    trained = after_ten_steps(options, depth=depth)
    network, data = trained.network, trained.data

    def ours() -> None:
        order = movement_order(trained.initial, trained.final)
        for scenario in SCENARIOS:
            reinit_counts(trained, order, points, scenario)

    def passes() -> None:
        for _ in range(2 * len(points)):
            plain.accuracy(network, data.test)

    ways = {"passes": lambda: seconds(passes), "ours": lambda: seconds(ours)}
    num = min(options.repetitions, 5) if not options.quick else 1
    plain.accuracy(network, data.test)  # warm-up; a whole turn of it would be long
    found = in_turns(ways, num=num, warm_up=0)
    return {
        "depth": depth,
        "width": trained.config.columns()["width"],
        "points": 2 * len(points),
        "ours / passes": found["ours"].over(found["passes"]),
        "ours, s": found["ours"],
        "passes, s": found["passes"],
    }
