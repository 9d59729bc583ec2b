"""How far training moved each parameter tensor, in units of its initial spread."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TensorMovement:
    """How far training moved the numbers of one parameter tensor."""

    name: str
    num_parameters: int
    initial_std: float
    """σ₀; 0 where all start alike, as most biases and norms' scales do."""
    initial_size: float
    """Root mean square of θ⁰."""
    displacement: float
    """Root mean square of θ − θ⁰."""
    share_moved: float | None
    """Moved by more than σ₀, 0 to 1; None where all start alike."""
    share_unmoved: float
    """Not moved at all, 0 to 1."""

    @property
    def movement(self) -> float | None:
        """Displacement over σ₀; None where all start alike: there is no unit."""
        return self.displacement / self.initial_std if self.initial_std else None


def tensor_movement(name: str, start: Tensor, end: Tensor) -> TensorMovement:
    """Return how far one parameter tensor moved."""
    start, end = start.double(), end.double()
    moved = (end - start).abs()
    alike = bool((start == start.flatten()[:1]).all())  # so are scalars
    std = 0.0 if alike else start.std().item()
    return TensorMovement(
        name=name,
        num_parameters=start.numel(),
        initial_std=std,
        initial_size=_rms(start),
        displacement=_rms(moved),
        share_moved=None if alike else (moved > std).double().mean().item(),
        share_unmoved=(moved == 0).double().mean().item(),
    )


def _rms(values: Tensor) -> float:
    return values.square().mean().sqrt().item()
