"""A stand-in for ImageNet's weights: networks pre-trained here, on other images.

**It is not what the paper did.** Its images come from the same data set, with the same
ten classes, so that pre-training is much more closely related to what follows than
ImageNet is; and they are tens of thousands, where ImageNet has more than a million.
Other data at hand is worse: Fashion-MNIST has neither colour nor objects in a scene.
What is learned from the proxy is how sparse training depends on where it starts; not
how it goes from ImageNet's weights.
"""

import dataclasses
from dataclasses import dataclass

from lazyrich_helpers.config import Part, RunConfig, require
from lazyrich_helpers.initialization import XavierNormal, convolutions
from lazyrich_helpers.models import Network
from lazyrich_helpers.remaining import remaining
from lazyrich_helpers.schedules import Full


@dataclass(frozen=True, kw_only=True)
class Proxy(Part, slot="init", kind="proxy"):
    """Convolutions as another run left them; the classifier as Xavier draws it.

    The other run, `source`, trains the same network whole and in the same manner, on
    images that this one neither trains on, nor holds out, nor tests on. One serves all
    seeds, as ImageNet's weights do.
    """

    pretrain_size: int
    """Images of the other run."""
    pretrain_epochs: int
    """Its passes over them."""
    pretrain_seed: int = 0
    """Its seed."""

    def check(self) -> None:
        ten = self.pretrain_size >= 10 and self.pretrain_size % 10 == 0
        classes = "a positive multiple of 10 classes"
        require(ten, "pretrain_size", classes, self.pretrain_size)
        epochs, seed = self.pretrain_epochs, self.pretrain_seed
        require(epochs >= 1, "pretrain_epochs", "at least 1", epochs)
        require(seed >= 0, "pretrain_seed", "0 or more", seed)

    def source(self, config: RunConfig) -> RunConfig:
        """Return the run that pre-trains the networks of `config`.

        Raises:
            ValueError: If its images have no others beside them.
        """
        training = dataclasses.replace(
            config.training, num_epochs=self.pretrain_epochs, seed=self.pretrain_seed
        )
        return dataclasses.replace(
            config,
            data=remaining(config.data, self.pretrain_size),
            init=XavierNormal(),
            updates=Full(),
            training=training,
        )

    def require_ready(self, network: Network) -> None:
        # With batch norm, the kept weights alone are not the network.
        num, stateful = len(convolutions(network)), any(True for _ in network.buffers())
        found = f"{num} convolutions" + (" and batch norm" if stateful else "")
        plain = num > 0 and not stateful
        require(plain, "model", "one of convolutions, without batch norm", found)

    def initialize_(self, network: Network, seed: int) -> None:
        raise ValueError(
            "a network that starts from a proxy needs the run that pre-trains it: "
            "train it by batch.complete or `python -m lazyrich_helpers.run`."
        )


def source_of(config: RunConfig) -> RunConfig | None:
    """Return the run that `config` starts from; None where there is no such run."""
    return config.init.source(config) if isinstance(config.init, Proxy) else None
