"""Walker et al. (2025): networks that generalize late, and their aligned Jacobians."""

from lazyrich_helpers.analysis.claims.verdicts import Verdict
from lazyrich_helpers.experiments.study import Study
from lazyrich_helpers.papers.asked import verdicts_of
from lazyrich_helpers.papers.grokalign.checks import (
    GROKKING_CLAIMS,
    KERNEL_CLAIM,
    XOR_CLAIM,
)
from lazyrich_helpers.papers.grokalign.kernel import KernelSettings, kernel_steps
from lazyrich_helpers.papers.grokalign.regions import RegionSettings, region_pictures
from lazyrich_helpers.papers.grokalign.resets import ResetSettings, resets
from lazyrich_helpers.papers.grokalign.scale import (
    FullSettings,
    PenaltySettings,
    at_full_scale,
    penalty_point,
)
from lazyrich_helpers.papers.grokalign.training import GrokkingSettings, grokking
from lazyrich_helpers.papers.grokalign.xor import XorSettings, xor

PAPER = "Walker, Humayun, Balestriero & Baraniuk (2025)"
PAGE = "book/papers/grokalign"

TWO = ("weight decay", "GrokAlign")
GROKKING = Study(
    name="grokalign-grokking",
    says="Deep ReLU networks that generalize late, by what is added to weight decay",
    point=grokking,
    over="methods",
    budgets={
        "smoke": GrokkingSettings(
            methods=TWO, seeds=(0, 1), width=16, num_steps=100, every=50
        ),
        "laptop": GrokkingSettings(
            methods=TWO, seeds=(0, 1), train_size=100, width=32, num_steps=1500
        ),
        "paper": GrokkingSettings(),
    },
)
MNIST_1K = Study(
    name="grokalign-mnist-1k",
    says="As grokalign-grokking at the paper's own scale: for a GPU, not recorded here",
    point=at_full_scale,
    over="methods",
    budgets={
        "smoke": FullSettings(
            methods=TWO, seeds=(0, 1), dataset="digits", train_size=50, width=16,
            num_steps=20, every=10, batch_size=16,
        ),
        "laptop": FullSettings(
            methods=TWO, seeds=(0, 1), dataset="digits", train_size=100, width=32,
            num_steps=1000, every=100, batch_size=32, penalty=0.01,
        ),
        "paper": FullSettings(),
    },
    arithmetic="fp64",
)  # fmt: skip
PENALTIES = Study(
    name="grokalign-penalties",
    says="Steps to 85 % of held-out images by the penalty's weight, on other seeds",
    point=penalty_point,
    over="penalties",
    budgets={
        "smoke": PenaltySettings(
            penalties=(0.03, 0.1), seeds=(5, 6), width=16, num_steps=50, every=50
        ),
        "laptop": PenaltySettings(
            penalties=(0.03, 0.1, 0.3), seeds=(5, 6), train_size=100, width=32,
            num_steps=1000,
        ),
        "paper": PenaltySettings(),
    },
)  # fmt: skip
REGIONS = Study(
    name="grokalign-regions",
    says="Linear regions in a plane through three training images, over training",
    point=region_pictures,
    over="methods",
    budgets={
        "smoke": RegionSettings(width=16, moments=(0, 20, 100), pixels=16),
        "laptop": RegionSettings(train_size=100, width=32, moments=(0, 50, 500, 1500)),
        "paper": RegionSettings(),
    },
)
XOR = Study(
    name="grokalign-xor",
    says="XOR of two inputs among thousands, by the Jacobian's penalty",
    point=xor,
    over="penalties",
    budgets={
        "smoke": XorSettings(
            seeds=(0, 1), num_inputs=400, width=16, train_size=60, num_steps=50
        ),
        "laptop": XorSettings(
            penalties=(0.0, 0.3), seeds=(0, 1), num_inputs=4000, width=64, num_steps=200
        ),
        "paper": XorSettings(),
    },
)
KERNEL = Study(
    name="grokalign-kernel",
    says="How well the tangent kernel tells how a step changes x · μ, by step size",
    point=kernel_steps,
    over="lrs",
    budgets={
        "smoke": KernelSettings(
            lrs=(0.1, 0.001), seeds=(0,), train_size=50, width=8, moments=(0, 5)
        ),
        "laptop": KernelSettings(seeds=(0, 1), train_size=100, moments=(0, 20)),
        "paper": KernelSettings(),
    },
    arithmetic="fp64",
)
RESETS = Study(
    name="grokalign-resets",
    says="Accuracy and alignment after γ-active re-initialization of ReLU-Nets",
    point=resets,
    over="widths",
    budgets={
        "smoke": ResetSettings(
            widths=(8, 16), seeds=(0, 1), dataset="digits", train_size=100, num_epochs=1
        ),
        "laptop": ResetSettings(
            widths=(16, 64), seeds=(0, 1), dataset="digits", train_size=500
        ),
        "paper": ResetSettings(),
    },
)
STUDIES = (GROKKING, PENALTIES, REGIONS, XOR, KERNEL, RESETS)
UNRECORDED = (MNIST_1K,)
"""At a scale that no record here has: for a reader's GPU."""


def verdicts() -> tuple[Verdict, ...]:
    """Return every claim's verdict, from the recorded studies."""
    return verdicts_of(
        [
            *((claim, GROKKING, "8×8 digits") for claim in GROKKING_CLAIMS),
            (XOR_CLAIM, XOR, "20,000 inputs"),
            (KERNEL_CLAIM, KERNEL, "8×8 digits, 0 and 1"),
        ]
    )
