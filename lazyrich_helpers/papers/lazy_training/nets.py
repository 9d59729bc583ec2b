r"""Two-layer nets of one shape, trained as one, and what teaches them.

$h(x) = s \sum_{j \le m} b_j\, \phi(a_j \cdot x)$, with $s = 1$, $1/\sqrt m$ or $1/m$.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lazyrich_helpers.random_streams import generator


class TwoLayerNets(nn.Module):
    """`num` two-layer nets without biases; both layers are trained."""

    def __init__(
        self, hidden: Tensor, readout: Tensor, scale: float = 1.0, smooth: bool = False
    ) -> None:
        """Take a's (num, m, d) and b's (num, m); `smooth` is tanh instead of ReLU."""
        super().__init__()
        self.hidden = nn.Parameter(hidden)
        self.readout = nn.Parameter(readout)
        self.scale, self.smooth = scale, smooth

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs (num, n) for inputs (num, n, d)."""
        sums = self.preactivations(inputs)
        units = sums.tanh() if self.smooth else sums.relu()
        return self.scale * (self.readout[:, None] @ units)[:, 0]

    def preactivations(self, inputs: Tensor) -> Tensor:
        """Return each unit's sum (num, m, n)."""
        return self.hidden @ inputs.transpose(1, 2)

    def vectors(self) -> Tensor:
        """Return a copy of all parameters (num, m (d + 1))."""
        parts = [p.detach().flatten(1) for p in self.parameters()]
        return torch.cat(parts, dim=1)


@dataclass(frozen=True)
class Lesson:
    """What each net learns from: inputs on the unit sphere, and a teacher's outputs."""

    inputs: Tensor
    """Shape (num, n, d)."""
    goals: Tensor
    """Shape (num, n)."""
    test_inputs: Tensor
    test_goals: Tensor
    directions: Tensor
    """The teacher's hidden weights, of length 1 (num, units, d)."""
    signs: Tensor
    """Its readout, +1 or -1 (num, units)."""


def on_sphere(draws: torch.Generator, *shape: int) -> Tensor:
    """Return directions uniform on the unit sphere (*shape), fp64."""
    drawn = torch.randn(*shape, generator=draws, dtype=torch.float64)
    return drawn / drawn.norm(dim=-1, keepdim=True)


def lesson(
    seeds: Sequence[int],
    num_inputs: int,
    num_examples: int,
    *,
    num_test: int = 0,
    teacher_units: int = 3,
    teacher_scale: float = 1.0,
) -> Lesson:
    """Return a lesson for each seed: a ReLU teacher with readout weights of ±1.

    Source: Chizat, Oyallon & Bach (2019), Section 3 and its code (test_vs_scale.jl).
    """
    parts = []
    for seed in seeds:
        draws = generator("lazy_training/lesson", seed)
        train = on_sphere(draws, num_examples, num_inputs)
        test = on_sphere(draws, num_test, num_inputs)
        units = on_sphere(draws, teacher_units, num_inputs)
        signs = 2.0 * torch.randint(2, (teacher_units,), generator=draws) - 1
        parts.append((train, test, units, signs.double()))
    inputs, tests, units, signs = map(torch.stack, zip(*parts, strict=True))
    teacher = TwoLayerNets(units, signs, teacher_scale)
    with torch.no_grad():
        goals, test_goals = teacher(inputs), teacher(tests)
    return Lesson(inputs, goals, tests, test_goals, units, signs)


def students(
    seeds: Sequence[int],
    num_units: int,
    num_inputs: int,
    *,
    symmetric: bool = True,
    init_scale: float = 1.0,
    scale: float = 1.0,
    smooth: bool = False,
) -> TwoLayerNets:
    """Return a net for each seed: standard normal entries, times `init_scale`.

    Both layers are scaled, so that the output has the scale `init_scale` squared.

    Args:
        seeds: One a net.
        num_units: m.
        num_inputs: d.
        symmetric: Whether the second half of the units copies the first, with readout
            weights of the other sign: the net is then 0 before training.
        init_scale: τ.
        scale: s, of the output.
        smooth: Whether units are tanh.
    """
    drawn_units = num_units // 2 if symmetric else num_units
    hidden, readout = [], []
    for seed in seeds:
        draws = generator("lazy_training/student", seed)
        own = torch.randn(
            drawn_units, num_inputs + 1, generator=draws, dtype=torch.float64
        )
        a, b = init_scale * own[:, :-1], init_scale * own[:, -1]
        hidden.append(torch.cat([a, a]) if symmetric else a)
        readout.append(torch.cat([b, -b]) if symmetric else b)
    return TwoLayerNets(torch.stack(hidden), torch.stack(readout), scale, smooth)


def descend(
    nets: TwoLayerNets, task: Lesson, step_size: float, num_steps: int
) -> Iterator[int]:
    r"""Take steps of gradient descent on $\frac{1}{2n} \sum (h(x) - y)^2$ of each net.

    Yields the number of steps taken before each step, and after the last.
    """
    parameters = list(nets.parameters())
    for step in range(num_steps):
        yield step
        # Nets share no parameter: the gradient of the sum is each one's own.
        loss = half_squares(nets, task.inputs, task.goals).sum()
        slopes = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, slope in zip(parameters, slopes, strict=True):
                p -= step_size * slope
    yield num_steps


def half_squares(nets: TwoLayerNets, inputs: Tensor, goals: Tensor) -> Tensor:
    """Return half the mean squared distance to the goals, of each net (num,)."""
    return (nets(inputs) - goals).square().mean(1) / 2
