"""Every study and every headline claim of the neighbouring papers, by name."""

import importlib
from types import ModuleType

from lazyrich_helpers.analysis.claims.ledger import Neighbour
from lazyrich_helpers.config import require
from lazyrich_helpers.experiments.recipes import BUDGETS
from lazyrich_helpers.experiments.study import Study, complete_study, read_study
from lazyrich_helpers.runner.progress import watched

PAPERS: tuple[str, ...] = (
    "dial",
    "grokalign",
    "init_variance",
    "lazy_training",
    "partial_sgd",
    "sharded",
    "two_regimes",
)
"""Folders here; `claims` in each has `PAPER`, `PAGE`, `STUDIES` and `verdicts()`.

One may have `UNRECORDED`, too: studies at a scale that the book has no record of."""


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"{__package__}.{name}.claims") for name in PAPERS]


def recorded_studies() -> dict[str, Study]:
    """Return every study that the book has the record of, by its name."""
    return {study.name: study for module in _modules() for study in module.STUDIES}


def studies() -> dict[str, Study]:
    """Return every study by its name."""
    other = [s for module in _modules() for s in getattr(module, "UNRECORDED", ())]
    return recorded_studies() | {study.name: study for study in other}


def neighbours() -> list[Neighbour]:
    """Return every neighbour with its claims, asked of the recorded studies."""
    return [
        Neighbour(paper=one.PAPER, page=one.PAGE, verdicts=one.verdicts())
        for one in _modules()
    ]


def run_studies(names: list[str], budget: str, device: str) -> int:
    """Compute what is missing of studies, of all unless named; say how far they are.

    Without names nothing is computed.

    Raises:
        ValueError: If there is no such study or budget.
    """
    known = studies()
    require(budget in BUDGETS, "budget", f"one of {', '.join(BUDGETS)}", budget)
    for name in names:
        require(name in known, "study", f"one of {', '.join(known)}", name)

    for name in names or known:
        study = known[name]
        if names:
            found = complete_study(study, budget, device=device, watch=watched)
        else:
            found = read_study(study, budget)
        num = len(study.values(found.settings))
        print(f"{name}: {study.says}")
        done = num - len(found.missing)
        print(f"  {budget}: {done} of {num} points, {found.seconds:.0f} s")
    return 0
