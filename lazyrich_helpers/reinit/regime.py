"""Which regime is my network in? Lazy or rich, for any torch model.

Lazy: training is that of the model linearized around its start, so that its tangent
kernel stays (Chizat et al., 2019). Rich: its features change.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from lazyrich_helpers.config import require
from lazyrich_helpers.reinit.accuracy_curves import BATCH, accuracy_curves, set_values
from lazyrich_helpers.reinit.features import features
from lazyrich_helpers.reinit.reinitialization import initial_parameters, values_of
from lazyrich_helpers.reinit.report import RegimeReport, tensor_movement
from lazyrich_helpers.reinit.tangent_kernel import (
    Forward,
    kernel_change,
    tangent_kernel,
)


def regime_report(
    model: nn.Module,
    initial_state: nn.Module | Mapping[str, Tensor],
    inputs: Tensor | None = None,
    labels: Tensor | None = None,
    *,
    forward: Forward = nn.Module.__call__,
    num_kernel_inputs: int = 32,
) -> RegimeReport:
    """Return how far a model's parameters, tangent kernel and features have changed.

    The model is left as it is: copies of it are compared, in evaluation mode. The one
    before training has the parameters of `initial_state`, and its buffers where it has
    them. A batch norm that has seen no batch by then gets the statistics of `inputs`.

    Args:
        model: Any module, trained.
        initial_state: A copy of it before training, or of its `state_dict()`.
        inputs: Shape (n, ...), in random order; features are compared on the first 256.
            Without them only the parameters' movement is measured.
        labels: What `argmax(-1)` of the outputs should be: shape (n,), or (n, places)
            for sequences. Without them there are no re-initialization curves.
        forward: Maps a model and inputs to outputs (n, ..., num_outputs), such as
            `lambda model, ids: model(ids).logits`.
        num_kernel_inputs: How many of the first inputs the tangent kernel is of. Each
            takes a backward pass for each output, or ten of them, before and after.

    Raises:
        ValueError: If `initial_state` is not the state of such a model, or the model's
            very own; if parameters are complex; if inputs, labels or outputs do not fit
            each other.
    """
    starts = initial_parameters(model, initial_state)
    ends = {name: p.detach() for name, p in model.named_parameters() if p.numel()}
    for name, end in ends.items():
        require(not end.is_complex(), name, "real, as by torch.view_as_real", end.dtype)
    rows = [tensor_movement(name, starts[name], end) for name, end in ends.items()]
    for row in rows:
        finite = math.isfinite(row.displacement)
        require(finite, row.name, "finite before and after training", row.displacement)
    report = RegimeReport(rows)
    if inputs is None:
        require(labels is None, "inputs", "given where labels are", inputs)
        return report
    require(len(inputs) > 1, "inputs", "at least two", len(inputs))
    inputs = inputs.to(next(model.parameters()).device)
    after = copy.deepcopy(model).eval()
    before = _before(after, starts, initial_state)
    _check_outputs(after, inputs[:2], forward)
    if labels is not None:
        curves = accuracy_curves(copy.deepcopy(after), starts, inputs, labels, forward)
        report = replace(report, curves=curves)
    first, few = inputs[:BATCH], inputs[:num_kernel_inputs]
    for end in (before, after):
        _give_statistics(end, first, forward)
    old, new = (features(end, first, forward) for end in (before, after))
    kernels = (tangent_kernel(end, few, forward) for end in (before, after))
    return replace(
        report,
        features=new.similarity(old),
        low_rank=(old.low_rank, new.low_rank),
        kernel=kernel_change(*kernels),
    )


def _before(
    after: nn.Module,
    starts: Mapping[str, Tensor],
    initial: nn.Module | Mapping[str, Tensor],
) -> nn.Module:
    """Return the model with its initial parameters, and the buffers that are known."""
    before = copy.deepcopy(after)
    set_values(before.parameters(), starts.values())
    state = initial.state_dict() if isinstance(initial, nn.Module) else initial
    known = {name: buffer for name, buffer in before.named_buffers() if name in state}
    set_values(known.values(), values_of(state, known).values())
    return before


@torch.no_grad()
def _give_statistics(model: nn.Module, inputs: Tensor, forward: Forward) -> None:
    """Let each batch norm that has seen no batch see these inputs, as training does."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    norms = [m for m in model.modules() if isinstance(m, kinds)]
    unused = [m for m in norms if m.track_running_stats and not m.num_batches_tracked]
    for norm in unused:
        norm.train()
        norm.momentum = None  # their mean over batches, of which there is one
    if unused:
        forward(model, inputs)
    model.eval()


@torch.no_grad()
def _check_outputs(model: nn.Module, inputs: Tensor, forward: Forward) -> None:
    """Raise ValueError unless outputs are a tensor with a row for each input."""
    outputs = forward(model, inputs)
    is_tensor = isinstance(outputs, Tensor)
    got = f"shape {tuple(outputs.shape)}" if is_tensor else type(outputs).__name__
    remedy = (
        "a function to a tensor with a row for each input, such as "
        "lambda model, inputs: model(inputs).logits"
    )
    fits = is_tensor and outputs.dim() > 0 and len(outputs) == len(inputs)
    require(fits, "forward", remedy, got)
