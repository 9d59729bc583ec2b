"""Whatever moves a frozen layer is named where the context ends."""

import contextlib

import pytest
import torch
from torch import nn

from lazyrich_helpers.lws.layer_watch import LayerWatch
from lazyrich_helpers.lws.schedules import Full, TopK
from tests.borrowed import INPUTS, made, moved, states, steps


class ZerosForNone(torch.optim.Optimizer):
    """Takes no gradient for one of zeros, as some published optimizers do."""

    def __init__(self, params, lr=0.02, weight_decay=0.1):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(p.grad, alpha=-group["lr"])


def fill(optimizer):
    """Give every parameter a gradient, frozen ones too."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p) if p.grad is None else p.grad


def filled_step(model, optimizer):
    steps(model, optimizer)
    fill(optimizer)
    optimizer.step()
    optimizer.zero_grad()


def unfreeze(model, optimizer):
    model.requires_grad_(True)
    steps(model, optimizer)


def forward_alone(model, optimizer):
    model.train()
    maps = model.norm.forward(model.conv(INPUTS)).relu()
    model.head(model.middle(maps.flatten(1))).sum().backward()
    optimizer.step()


def write(model, optimizer):
    del optimizer
    with torch.no_grad():
        model.conv.bias[0] += 1e-6


def other_data(model, optimizer):
    del optimizer
    model.conv.bias.data = torch.ones(4)


def new_buffer(model, optimizer):
    del optimizer
    model.norm.running_var = model.norm.running_var * 0.9


SGD = lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1)  # noqa: E731
FUSED = lambda p: torch.optim.Adam(p, 0.01, fused=True)  # noqa: E731
PARAMETERS = r"(\d) frozen parameters were moved inside, conv\."
BUFFERS = r"(\d) buffers of frozen layers changed inside, norm\.(running_|num_)"
CASES = {
    "zeros for none": (ZerosForNone, steps, PARAMETERS),
    "filled": (SGD, filled_step, PARAMETERS),
    "filled, fused": (FUSED, filled_step, PARAMETERS),
    "unfrozen": (
        SGD,
        unfreeze,
        r"requires_grad of \d frozen parameters was set inside",
    ),
    "written to": (SGD, write, PARAMETERS),
    "put in its place": (SGD, other_data, PARAMETERS),
    "batch norm's forward": (SGD, forward_alone, BUFFERS),
    "a new buffer": (SGD, new_buffer, BUFFERS),
}


@pytest.mark.parametrize("by_step", [False, True], ids=["epoch", "step"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_frozen_layer_that_moved_is_named_where_the_context_ends(case, by_step):
    make, do, message = case
    model, optimizer, sparse = made(TopK(k=1), make)
    steps(model, optimizer)
    context = sparse.step(0, 0) if by_step else sparse.epoch(0)
    with pytest.raises(ValueError, match=message), context:
        do(model, optimizer)
    assert all(p.requires_grad for p in model.parameters()) and not sparse.counts
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    sparse.schedule = Full()
    before = states(model)
    with sparse.epoch(1):  # it goes on
        steps(model, optimizer)
    assert moved(before, states(model)) == {0, 1, 2}


def test_an_epoch_compares_values_and_sees_what_leaves_no_trace():
    model, _, sparse = made(TopK(k=1), SGD)
    with pytest.raises(ValueError, match=PARAMETERS), sparse.epoch(0):
        model.conv.bias.data.add_(1)
    with sparse.step(0, 0):  # as the documentation says
        model.conv.bias.data.add_(1)


def test_what_was_undone_within_an_epoch_did_not_happen():
    model, _, sparse = made(TopK(k=1), SGD)
    values = [p.detach().clone() for p in model.parameters()]

    def averaged_and_back():
        with torch.no_grad():
            for p, value in zip(model.parameters(), values, strict=True):
                p.mul_(2)
                p.copy_(value)

    with sparse.epoch(0):
        averaged_and_back()
    with pytest.raises(ValueError, match=PARAMETERS), sparse.step(0, 0):
        averaged_and_back()


def test_an_error_inside_is_the_one_that_is_raised():
    model, _, sparse = made(TopK(k=1), SGD)
    with pytest.raises(KeyError), sparse.epoch(0):
        write(model, None)
        raise KeyError


def watch(*tensors, by_value, persistent=True):
    """Return a watch over the buffers of a module."""
    module = nn.Module()
    for index, tensor in enumerate(tensors):
        module.register_buffer(f"buffer_{index}", tensor, persistent=persistent)
    return LayerWatch({}, [], [module], by_value=by_value)


@pytest.mark.parametrize("by_value", [False, True])
@pytest.mark.parametrize(
    "dtype",
    [
        torch.bool,
        torch.uint8,
        torch.int64,
        torch.bfloat16,
        torch.float8_e4m3fn,
        torch.float64,
        torch.complex64,
        torch.uint16,
    ],
)
def test_every_kind_of_buffer_is_watched(dtype, by_value):
    buffer = torch.zeros(2, 3).to(dtype)
    one = watch(buffer, torch.zeros(0, 3), by_value=by_value)
    one.check()
    buffer[1, 2].fill_(1)
    with pytest.raises(ValueError, match=r"1 buffers of .* inside, buffer_0 \(2, 3\)"):
        one.check()


def test_equal_values_that_change_alike_have_changed():
    buffer = torch.ones(64)
    one = watch(buffer, by_value=True)
    buffer.mul_(0.999)
    with pytest.raises(ValueError, match="1 buffers of frozen layers changed"):
        one.check()


def test_not_a_number_is_itself():
    one = watch(torch.full((3,), float("nan")), by_value=True)
    one.check()


@pytest.mark.parametrize("by_value", [False, True])
def test_a_buffer_that_is_not_saved_may_change(by_value):
    buffer = torch.zeros(3)
    one = watch(buffer, by_value=by_value, persistent=False)
    buffer += 1
    one.check()


@pytest.mark.parametrize("by_value", [False, True])
def test_tensors_without_versions(by_value):
    with torch.inference_mode():
        buffer = torch.zeros(3)
    watch(buffer, by_value=by_value).check()


@pytest.mark.parametrize("by_step", [False, True], ids=["epoch", "step"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_looking_at_the_loss_moves_nothing(by_step, mode):
    model, optimizer, sparse = made(TopK(k=1), SGD)
    with contextlib.ExitStack() as stack:
        stack.enter_context(sparse.step(0, 0) if by_step else sparse.epoch(0))
        steps(model, optimizer)
        with mode():
            model.train()(INPUTS)
    assert sparse.counts == {2: 1}
