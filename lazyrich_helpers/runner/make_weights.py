"""A file of weights to start from, made of a trained network.

`python -m lazyrich_helpers.runner.make_weights RUN FILE`.

The stand-ins for ImageNet's weights are made so. **They are not what the paper did**:
their images are of the same data set as what follows, and far fewer. What is learned
from them is how sparse training depends on where it starts; not how it goes from
ImageNet's weights.
"""

import hashlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lazyrich_helpers.experiments.files import write_whole
from lazyrich_helpers.experiments.records import Store, computed_store, recorded_store
from lazyrich_helpers.models.initialization import convolutions
from lazyrich_helpers.models.vectors import bind_
from lazyrich_helpers.models.weights_file import CONVOLUTIONS, DIGITS, require_plain
from lazyrich_helpers.runner.kept import kept_vectors


def make_weights(run_id: str, store: Store, path: Path) -> str:
    """Write a trained run's convolutions to `path`; return the file's SHA-256.

    Raises:
        ValueError: If there is no such run, its weights are not kept, or they alone are
            not the network.
    """
    record = store.read(run_id)
    vectors = kept_vectors(record, store)
    if record is None or vectors is None:
        raise ValueError(
            f"run {run_id} left no weights of its own under {store.weights}; train it "
            "there first."
        )
    config = record.config
    network = config.model.build(config.data.image_shape, config.data.num_classes)
    require_plain(network)
    bind_(network, vectors[1])
    layers, file = convolutions(network), io.BytesIO()
    # Copied, or each would bring along the vector of which it is a part.
    own = [p.detach().clone() for layer in layers for p in layer.parameters()]
    torch.save({"run_id": run_id, CONVOLUTIONS: own}, file)
    write_whole(path, file.getvalue())
    return hashlib.sha256(file.getvalue()).hexdigest()


def main(words: Sequence[str]) -> int:
    """Make the file, say what names it, and return the exit status: 0 or 2."""
    if len(words) != 2:
        print("usage: python -m lazyrich_helpers.runner.make_weights RUN_ID FILE")
        return 2
    run_id, path = words[0], Path(words[1])
    stores = [recorded_store(), computed_store()]
    store = next((s for s in stores if run_id in s.ids()), stores[0])
    try:
        sha256 = make_weights(run_id, store, path)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"WeightsFile(file={path.name!r}, sha256={sha256[:DIGITS]!r})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
