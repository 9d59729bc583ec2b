"""What a measurement of a trained network is; and the plainest one, its accuracy."""

from typing import Any, ClassVar

import numpy as np

from lazyrich_helpers.training.loop import Epoch, Run, Trained, count_correct


class Measure:
    """A named, versioned measurement; one instance sees one training run.

    Subclasses set the class variables and define `result`. Those that watch also
    define `start` or `after_epoch`, which must leave the network as they found it.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised by hand when its numbers change; older results are then stale."""
    watches: ClassVar[bool] = False
    """Whether it must see the epochs; if not, stored weights suffice later."""
    has_arrays: ClassVar[bool] = False
    """Whether it has arrays, without which a record lacks it."""
    alone: ClassVar[bool] = False
    """Whether it times a run, which must then have the machine to itself."""
    test_passes: ClassVar[int] = 0
    """Forward passes over the test images it costs, for planning."""
    layer_passes: ClassVar[int] = 0
    """As many more for each layer of the network."""
    epoch_passes: ClassVar[int] = 0
    """Passes over the training images, with gradients, that it costs each epoch."""

    def start(self, run: Run) -> None:
        """Look at the network before its first step."""

    def after_epoch(self, run: Run, epoch: Epoch) -> None:
        """Look at the network after an epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it has seen so far: tensors, numbers, text, by reference."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict` of the same run, in another process."""
        vars(self).update(state)

    def result(self, trained: Trained) -> dict[str, Any]:
        """Return the numbers, ready for JSON; leave the network as it was."""
        raise NotImplementedError

    def arrays(self, trained: Trained) -> dict[str, np.ndarray]:
        """Return arrays by name, to lie beside the record; none unless defined."""
        del trained
        return {}


class Accuracy(Measure):
    """Correct images of the trained network on every split, as counts."""

    name: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    test_passes: ClassVar[int] = 3

    def result(self, trained: Trained) -> dict[str, Any]:
        precision = trained.config.training.precision
        return {
            name: {
                "num_correct": count_correct(trained.network, split, precision),
                "num": len(split),
            }
            for name, split in trained.data.splits.items()
        }
