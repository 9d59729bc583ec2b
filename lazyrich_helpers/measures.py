"""What a measurement of a trained network is; and the plainest one, its accuracy."""

from typing import Any, ClassVar, Protocol, runtime_checkable

from lazyrich_helpers.data import Dataset
from lazyrich_helpers.models import Network
from lazyrich_helpers.train import Epoch, Trained, count_correct


@runtime_checkable
class Measure(Protocol):
    """A named, versioned measurement; one instance sees one training run."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised by hand when its numbers change; older results are then stale."""
    watches: ClassVar[bool]
    """Whether it must see the epochs; if not, stored weights suffice later."""
    test_passes: ClassVar[int]
    """Forward passes over the test images it costs, for planning."""

    def after_epoch(self, network: Network, data: Dataset, epoch: Epoch) -> None:
        """Look at the network after an epoch, without changing it."""
        ...

    def result(self, trained: Trained) -> dict[str, Any]:
        """Return the numbers, ready for JSON; must leave the network as it found it."""
        ...


class Accuracy:
    """Correct images of the trained network on every split, as counts."""

    name: ClassVar[str] = "accuracy"
    version: ClassVar[int] = 1
    watches: ClassVar[bool] = False
    test_passes: ClassVar[int] = 3

    def after_epoch(self, network: Network, data: Dataset, epoch: Epoch) -> None:
        """Nothing to see before the end."""

    def result(self, trained: Trained) -> dict[str, Any]:
        splits = {
            "train": trained.data.train,
            "held_out": trained.data.held_out,
            "test": trained.data.test,
        }
        precision = trained.config.training.precision
        return {
            name: {
                "num_correct": count_correct(trained.network, split, precision),
                "num": len(split),
            }
            for name, split in splits.items()
        }
