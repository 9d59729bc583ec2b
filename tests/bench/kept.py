"""A training with and without what sleeping layers make of an image being kept."""

from lazyrich_helpers.experiments.exhibits import make_recipe
from lazyrich_helpers.lws.frozen_prefix import MOST_BYTES
from lazyrich_helpers.lws.schedules import in_words
from lazyrich_helpers.training.loop import new_network, train
from tests.bench.setting import Options

TITLE = (
    "kept: VGG-5 at a quarter of its width, MNIST, seed 13, once; seconds of the "
    "training steps"
)


def rows(options: Options) -> list[dict[str, object]]:
    """Train each way; target: the same accuracy. Of 100 epochs 10 move all layers."""
    choices: dict[str, object] = {"widths": [16], "precision": "fp32"}
    choices["num_epochs"] = options.epochs
    if options.quick:
        choices |= {"dataset": "digits", "num_epochs": 2, "widths": [2]}
    whole, sparse, *_ = make_recipe("training-times-vgg5", "paper", **choices).configs
    found = []
    for config, cache_bytes in ((whole, 0), (sparse, 0), (sparse, MOST_BYTES)):
        data = config.data.load()
        network = new_network(config, data)
        each = list(
            train(network, data, config, eval_every=1000, cache_bytes=cache_bytes)
        )
        correct = each[-1].num_correct
        assert correct is not None  # of the last epoch
        seconds = sum(epoch.seconds for epoch in each)
        found.append((in_words(config.updates), bool(cache_bytes), correct, seconds))
    return [
        {
            "updates": updates,
            "kept": kept,
            "epochs": choices["num_epochs"],
            "test accuracy": f"{correct / len(data.test):.2%}",
            "seconds": f"{seconds:.0f}",
            "over full": f"{seconds / found[0][-1]:.3f}",
        }
        for updates, kept, correct, seconds in found
    ]
