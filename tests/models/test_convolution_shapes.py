"""Every convolution that a recipe trains has the gradients of a float64 reference.

At both of x86's instruction sets, each in a process of its own: where a kernel writes
beyond its memory, that process dies or hangs, or its numbers are wrong.
"""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.models.convolution import StridedShortcut

INSTRUCTION_SETS = {
    "this processor's": {},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}
BATCH = 4
TOLERANCE = 1e-5
"""Of the largest value: fp32 sums of up to 4,608 products are within 2e-6. The kernel
that writes beyond its workspace was off by up to 0.22."""


def convolutions() -> dict[str, tuple[nn.Conv2d, torch.Size]]:
    """Return the distinct convolutions of all recipes with the maps that they read."""
    configs = (
        config
        for name in RECIPES
        for budget in BUDGETS
        for config in make_recipe(name, budget).configs
    )
    found = {}

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        found[f"{module} of {tuple(inputs[0].shape)}"] = (module, inputs[0].shape)

    for model, shape in {(c.model, c.data.image_shape): c for c in configs}:
        with torch.device("meta"):
            network = model.build(shape, 10).to("meta")
        hooks = [
            module.register_forward_hook(note)
            for module in network.modules()
            if isinstance(module, nn.Conv2d)
        ]
        network(torch.zeros(BATCH, *shape, device="meta"))
        for hook in hooks:
            hook.remove()
    return found


def worst_difference(module: nn.Conv2d, shape: torch.Size) -> float:
    """Return how far outputs and gradients are from float64's, by their largest."""
    torch.manual_seed(0)
    module = module.to_empty(device="cpu")
    for p in module.parameters():
        nn.init.normal_(p)
    images = torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()
    ours = module(images)
    upstream = torch.randn_like(ours)
    wanted = [images, *module.parameters()]
    found = [ours, *torch.autograd.grad(ours, wanted, upstream)]
    doubled = [each.detach().double().requires_grad_() for each in wanted]
    stride = module.every if isinstance(module, StridedShortcut) else module.stride
    plain = nn.functional.conv2d(*doubled, stride=stride, padding=module.padding)
    reference = [plain, *torch.autograd.grad(plain, doubled, upstream.double())]
    pairs = zip(found, reference, strict=True)
    return max(
        float((one - other).detach().abs().max() / other.detach().abs().max())
        for one, other in pairs
    )


@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_gradients_are_right(name):
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.test_convolution_shapes"],
        env=os.environ | INSTRUCTION_SETS[name],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "StridedShortcut(4, 8" in done.stdout, "ResNet-18's at its smallest"


if __name__ == "__main__":
    torch.set_num_threads(1)
    num_wrong = 0
    for label, (convolution, read) in convolutions().items():
        print(f"{label}: ", end="", flush=True)  # should this one end the process
        difference = worst_difference(convolution, read)
        print(f"{difference:.1e}", flush=True)
        num_wrong += not difference < TOLERANCE
    sys.exit(num_wrong > 0)
