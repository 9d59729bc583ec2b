"""Networks without numbers: their layers and sizes, before any data are there."""

import functools

from lazyrich_helpers.models.network import ModelPart, Network


@functools.lru_cache
def blueprint(
    model: ModelPart, image_shape: tuple[int, int, int], num_classes: int
) -> Network:
    """Return the network on torch's `meta` device.

    Raises:
        ValueError: If no memory could hold it.
    """
    try:
        return model.build(image_shape, num_classes).to("meta")
    except (RuntimeError, MemoryError, TypeError) as error:  # or beyond int64
        raise ValueError(
            f"a network must be one that memory holds; got {model}."
        ) from error
