"""Rich regime training, executable: models, re-initialization, layer-wise training.

What a borrower needs is here by name, and imported when it is asked for, so that
`import lazyrich_helpers` itself waits for nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lazyrich_helpers.lws.layerwise import LayerwiseSparse as LayerwiseSparse
    from lazyrich_helpers.lws.schedules import BottomQ as BottomQ
    from lazyrich_helpers.lws.schedules import Full as Full
    from lazyrich_helpers.lws.schedules import Middle as Middle
    from lazyrich_helpers.lws.schedules import RandomBeta as RandomBeta
    from lazyrich_helpers.lws.schedules import RandomUniform as RandomUniform
    from lazyrich_helpers.lws.schedules import TopBottom as TopBottom
    from lazyrich_helpers.lws.schedules import TopK as TopK
    from lazyrich_helpers.lws.schedules import TopKAllBottoms as TopKAllBottoms
    from lazyrich_helpers.lws.schedules import TopKBottomQ as TopKBottomQ
    from lazyrich_helpers.reinit.regime import regime_report as regime_report
    from lazyrich_helpers.reinit.reinitialization import (
        movement_order as movement_order,
    )
    from lazyrich_helpers.reinit.reinitialization import reinitialize as reinitialize
    from lazyrich_helpers.reinit.reinitialization import reinitialized as reinitialized

_NAMES = {
    "lws.layerwise": ("LayerwiseSparse",),
    "reinit.reinitialization": ("movement_order", "reinitialize", "reinitialized"),
    "reinit.regime": ("regime_report",),
    "lws.schedules": (
        *("Full", "TopK", "BottomQ", "TopBottom", "Middle"),
        *("TopKBottomQ", "TopKAllBottoms", "RandomUniform", "RandomBeta"),
    ),
}
"""Module → what is offered of it."""
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what is asked for by name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    """Return the names that are offered."""
    return sorted(_HOMES)
