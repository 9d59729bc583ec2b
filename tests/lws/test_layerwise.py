"""Any model, any optimizer: what is frozen does not move, and nothing else changes."""

import contextlib
import copy
import functools
import json
from collections import Counter

import pytest
import torch
from torch import nn
from torch._dynamo import config as dynamo
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lazyrich_helpers.lws.baselines import FreezeOut
from lazyrich_helpers.lws.layerwise import LayerwiseSparse
from lazyrich_helpers.lws.plans import Plan
from lazyrich_helpers.lws.schedules import (
    BottomQ,
    Full,
    RandomUniform,
    TopK,
    TopKAllBottoms,
)
from lazyrich_helpers.random_streams import generator
from tests import tiny
from tests.borrowed import (
    INPUTS,
    LABELS,
    Small,
    groups,
    made,
    momentum_sgd,
    moved,
    states,
    steps,
)

OPTIMIZERS = {
    "sgd": momentum_sgd,
    "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
    "fused adam": lambda p: torch.optim.Adam(p, 0.01, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.5),
    "amsgrad": lambda p: torch.optim.AdamW(p, 0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.9, weight_decay=0.1),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.01, weight_decay=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p, weight_decay=0.1),
    "adamax": lambda p: torch.optim.Adamax(p, weight_decay=0.1),
    "nadam": lambda p: torch.optim.NAdam(p, weight_decay=0.1),
    "radam": lambda p: torch.optim.RAdam(p, weight_decay=0.1),
    "rprop": lambda p: torch.optim.Rprop(p),
    "asgd": lambda p: torch.optim.ASGD(p, weight_decay=0.1),
    "adafactor": lambda p: torch.optim.Adafactor(p, weight_decay=0.1),
}


def remembered(model, optimizer):
    """Return what the optimizer knows of each parameter of each layer, copied."""
    return [
        [
            {
                name: torch.as_tensor(value).clone()
                for name, value in optimizer.state.get(p, {}).items()
            }
            for p in group["params"]
        ]
        for group in groups(model.layers)
    ]


@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_frozen_layers_and_what_is_remembered_of_them_stay(make, set_to_none):
    model = Small()
    optimizer = make(model.parameters())
    steps(model, optimizer)
    sparse = LayerwiseSparse(model.layers, optimizer, tiny.Mask(mask="111"))
    for epoch, mask in enumerate(["111", "001", "100", "010", "110", "001", "111"]):
        sparse.schedule = tiny.Mask(mask=mask)
        before, memory = states(model), remembered(model, optimizer)
        with sparse.epoch(epoch) as trainable:
            steps(model, optimizer, set_to_none=set_to_none)
        assert trainable == {i for i in range(3) if mask[i] == "1"}
        assert moved(before, states(model)) == trainable
        assert moved(memory, remembered(model, optimizer)) == trainable
    assert [sparse.counts[i] for i in range(3)] == [4, 4, 4]


def test_full_is_the_loop_alone_bit_for_bit():
    plain, sparse_one = Small(), Small()
    torch.manual_seed(0)  # dropout's
    optimizer = momentum_sgd(plain.parameters())
    losses = [steps(plain, optimizer) for _ in range(4)]
    torch.manual_seed(0)
    optimizer = momentum_sgd(sparse_one.parameters())
    sparse = LayerwiseSparse(sparse_one.layers, optimizer, Full())
    for epoch, loss in enumerate(losses):
        with sparse.epoch(epoch):
            assert steps(sparse_one, optimizer) == loss
    assert moved(states(plain), states(sparse_one)) == set()


def test_everything_is_as_before_afterwards_but_gradients_of_what_was_frozen():
    model = Small()
    model.middle[0].bias.requires_grad_(False)  # the user's own choice
    optimizer = momentum_sgd(model.parameters())
    sparse = LayerwiseSparse(model.layers, optimizer, TopK(k=1))
    wanted = [p.requires_grad for p in model.parameters()]
    F.cross_entropy(model.train()(INPUTS), LABELS).backward()  # of an earlier batch
    model.norm.eval()
    modes = [module.training for module in model.modules()]
    with pytest.raises(KeyError), sparse.epoch(0):
        model(INPUTS)
        raise KeyError
    assert [p.requires_grad for p in model.parameters()] == wanted
    assert [module.training for module in model.modules()] == modes
    assert not sparse.counts  # an epoch that broke off does not count
    assert model.conv.weight.grad is None and model.head.weight.grad is not None
    before = states(model)
    steps(model, optimizer, num=1)
    assert moved(before, states(model)) == {0, 1, 2}
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_backward_ends_at_the_lowest_trainable_layer():
    model = Small()
    optimizer = momentum_sgd(model.parameters())
    reached = []

    def watch(name, module):
        def look(_, inputs, output):
            if output.requires_grad:
                reached.append(name)

        module.register_forward_hook(look)

    for name in ("conv", "middle", "head"):
        watch(name, getattr(model, name))
    for schedule, expected in [
        (TopK(k=1), {"head"}),
        (TopK(k=2), {"head", "middle"}),
        (BottomQ(q=1), {"head", "middle", "conv"}),
    ]:
        reached.clear()
        with LayerwiseSparse(model.layers, optimizer, schedule).epoch(0):
            steps(model, optimizer, num=1)
        assert set(reached) == expected


def test_a_layer_whose_parts_are_called_one_by_one_is_frozen_too():
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    head = nn.Linear(32, 3)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], 0.1)
    sparse = LayerwiseSparse([body, head], optimizer, TopK(k=1))
    before = copy.deepcopy(body.state_dict())
    with sparse.epoch(0):
        body.train()
        outputs = []
        for _ in range(2):
            hidden = INPUTS
            for part in body:
                hidden = part(hidden)
            outputs.append(hidden)
            F.cross_entropy(head(hidden.flatten(1)), LABELS).backward()
            optimizer.step()
    assert torch.equal(*outputs)  # no dropout
    after = body.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(module.training for module in body.modules())


def test_a_resumed_run_is_a_straight_one():
    schedule = TopKAllBottoms(k=1, rho=0.5)

    def run(epochs, model, optimizer, sparse):
        for epoch in epochs:
            torch.manual_seed(epoch)
            with sparse.epoch(epoch):
                steps(model, optimizer)

    straight, first, second = (made(schedule, OPTIMIZERS["adamw"]) for _ in range(3))
    run(range(6), *straight)
    run(range(3), *first)
    saved = [copy.deepcopy(part.state_dict()) for part in first]
    saved[2] = json.loads(json.dumps(saved[2]))
    for part, state in zip(second, saved, strict=True):
        part.load_state_dict(state)
    run(range(3, 6), *second)
    assert moved(states(straight[0]), states(second[0])) == set()
    assert second[2].counts == straight[2].counts
    other = LayerwiseSparse(second[0].layers, second[1], schedule, seed=1)
    with pytest.raises(ValueError, match="seed must be 1, as here; got 0"):
        other.load_state_dict(saved[2])


class Alternating:
    """A schedule that only its user knows; without `to_dict`."""

    per_step = False

    def __init__(self, layers):
        self.layers = layers  # a tuple of sets

    def plan(self, epoch, step, num_layers, seed):
        return Plan(self.layers[epoch % len(self.layers)])


def test_a_checkpoint_knows_its_schedule_also_one_of_ones_own():
    saved = made(Alternating((frozenset({2, 0}), frozenset({1}))))[2].state_dict()
    made(Alternating((frozenset({2, 0}), frozenset({1}))))[2].load_state_dict(saved)
    for other in (Full(), Alternating((frozenset({2, 1}), frozenset({1})))):
        with pytest.raises(ValueError, match="schedule must be"):
            made(other)[2].load_state_dict(saved)


class OneLayer:
    """A schedule of one's own without a `__dict__`."""

    __slots__ = ("layer",)
    per_step = False

    def __init__(self, layer):
        self.layer = layer

    def plan(self, epoch, step, num_layers, seed):
        return Plan(frozenset({self.layer}))


def test_a_checkpoint_knows_a_schedule_with_slots():
    sparse = made(OneLayer(2))[2]
    sparse.load_state_dict(sparse.state_dict())


@pytest.mark.parametrize("layers", [{5}, {-1}, {1, 3}, set()], ids=str)
def test_a_plan_of_layers_that_there_are_not(layers):
    message = (
        rf"plan must train at least one .* to 2; got \[{str(sorted(layers))[1:-1]}"
    )
    sparse = made(Alternating((frozenset({0}), frozenset(layers))))[2]
    for meet in (sparse.epoch(1).__enter__, lambda: made(Alternating((layers,)))):
        with pytest.raises(ValueError, match=message):
            meet()


def test_states_may_be_saved_inside_but_for_scaled_rates():
    model = Small()
    optimizer = torch.optim.SGD(groups(model.layers), 0.1)

    def rates():
        return [group["lr"] for group in optimizer.state_dict()["param_groups"]]

    names = model.state_dict().keys()
    with LayerwiseSparse(model.layers, optimizer, TopK(k=1)).epoch(0):
        assert model.state_dict().keys() == names and rates() == [0.1] * 3
    scaling = FreezeOut(total_epochs=2, steps_per_epoch=1)
    with LayerwiseSparse(model.layers, optimizer, scaling).step(1, 0):
        assert rates() != [0.1] * 3


def test_a_bare_parameter_is_frozen_with_its_layer():
    """As a vision transformer's class token and positions, which are in no module."""
    torch.manual_seed(0)
    token = nn.Parameter(torch.randn(1, 4))
    first, head = nn.Linear(4, 4), nn.Linear(4, 3)
    parameters = [token, *first.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.1)
    cases = {
        "with a module": ([[token, first], head], "01", [3, 4]),
        "alone": ([token, [first, head]], "10", [0]),
    }
    for name, (layers, mask, moves) in cases.items():
        sparse = LayerwiseSparse(layers, optimizer, tiny.Mask(mask=mask))
        before = [p.detach().clone() for p in parameters]
        with sparse.epoch(0):
            optimizer.zero_grad()
            head(first(token)).square().sum().backward()
            optimizer.step()
        pairs = enumerate(zip(before, parameters, strict=True))
        moved = [i for i, (old, new) in pairs if not torch.equal(old, new)]
        assert moved == moves, name


def test_a_transformer_whose_blocks_are_called_by_keyword():
    tokens, encode = nn.Embedding(7, 8), nn.TransformerEncoderLayer
    blocks = [encode(8, 2, 16, dropout=0.5, batch_first=True) for _ in range(2)]
    model = nn.ModuleList([tokens, *blocks, nn.Linear(8, 7)])
    words = torch.arange(10).view(2, 5) % 7
    causal = nn.Transformer.generate_square_subsequent_mask(5)

    def loss():
        hidden = tokens(words)
        for block in blocks:
            hidden = block(src=hidden, src_mask=causal, is_causal=True)
        return F.cross_entropy(model[3](hidden).flatten(0, 1), words.flatten())

    optimizer = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
    sparse = LayerwiseSparse(model, optimizer, tiny.Mask(mask="1111"))
    for epoch, mask in enumerate(["0001", "0011", "0100", "1000", "1111"]):
        sparse.schedule = tiny.Mask(mask=mask)
        before = [copy.deepcopy(layer.state_dict()) for layer in model]
        with sparse.epoch(epoch) as trainable:
            model.train()
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        after = [layer.state_dict() for layer in model]
        changed = [
            {not torch.equal(old[name], new[name]) for name in old}
            for old, new in zip(before, after, strict=True)
        ]
        assert changed == [{layer in trainable} for layer in range(4)]
    layers = [tokens, *reversed(blocks), model[3]]
    with pytest.raises(ValueError, match=r"layer 1 .* reads what layer 2 .* makes"):
        with LayerwiseSparse(layers, optimizer, Full()).epoch(0):
            loss()


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_layers_learn_unless_they_are_reentrant(reentrant):
    model, _, sparse = made(TopK(k=2))
    with sparse.epoch(0):
        maps = model.norm(model.conv(INPUTS)).flatten(1)
        with contextlib.ExitStack() as stack:
            if reentrant:
                stack.enter_context(pytest.warns(UserWarning, match="requires_grad"))
            hidden = checkpoint(model.middle, maps, use_reentrant=reentrant)
        F.cross_entropy(model.head(hidden), LABELS).backward()
        assert (model.middle[0].weight.grad is None) == reentrant
        assert model.head.weight.grad is not None and model.conv.weight.grad is None


@dynamo.patch(recompile_limit=12)
def test_compiled_models_are_frozen_too():
    torch._dynamo.reset()
    found = []
    for is_compiled in (False, True):
        model = Small()
        model.middle[1].p = 0.0  # compiled dropout draws other numbers
        run = model
        if is_compiled:
            run = torch.compile(model, backend="aot_eager", fullgraph=True)
        optimizer = momentum_sgd(model.parameters())
        sparse = LayerwiseSparse(model.layers, optimizer, tiny.Mask(mask="111"))
        for epoch, mask in enumerate(["001", "111", "001", "010", "111", "100"]):
            sparse.schedule = tiny.Mask(mask=mask)
            before = states(model)
            with sparse.epoch(epoch) as trainable:
                steps(run, optimizer, num=2)
            assert moved(before, states(model)) == trainable
        found.append(states(model))
    assert moved(*found) == set()


@pytest.mark.filterwarnings("ignore:.*script_method")  # torch's own
@dynamo.patch(recompile_limit=4, fail_on_recompile_limit_hit=True)
def test_a_compiled_step_is_compiled_once_for_a_set_of_layers():
    torch._dynamo.reset()
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    compiled = torch.compile(lambda: optimizer.step(), backend="aot_eager")
    sparse = LayerwiseSparse(model.layers, optimizer, TopK(k=1))
    for epoch in range(8):
        before = states(model)
        with sparse.epoch(epoch):
            model.zero_grad()
            F.cross_entropy(model(INPUTS), LABELS).backward()
            compiled()
        assert moved(before, states(model)) == {2}
    assert sparse.counts == {2: 8}


@pytest.mark.parametrize("schedule", [Full(), TopK(k=1), TopK(k=2)])
def test_layers_out_of_order_are_refused_in_the_first_forward_pass(schedule):
    model = Small()
    bottom, middle, head = model.layers
    optimizer = momentum_sgd(model.parameters())
    sparse = LayerwiseSparse([head, bottom, middle], optimizer, schedule)
    message = r"layer 0 \(Linear\) reads what layer [12] \(.*\) makes: list the layers"
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=message), sparse.epoch(0):
        with torch.no_grad():
            model.eval()(INPUTS)  # a look at the loss shows no graph, and hides none
        steps(model, optimizer)
    assert all(map(torch.equal, before, model.parameters()))
    assert all(p.requires_grad for p in model.parameters())
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks
    sparse = LayerwiseSparse([middle, bottom, head], optimizer, tiny.Mask(mask="001"))
    with sparse.epoch(0):
        steps(model, optimizer)  # the head is the top, as listed
    sparse.schedule = tiny.Mask(mask="011")
    with pytest.raises(ValueError, match=r"0 \(Seq.*reads.*1 \(Conv2d, Batch"):
        with sparse.epoch(1):
            steps(model, optimizer)


def test_an_activation_that_layers_share_hides_no_order():
    act = nn.ReLU()
    one, two, three = (nn.Sequential(nn.Linear(36, 36), act) for _ in range(3))
    layers = [three, one, two]
    sparse = LayerwiseSparse(layers, torch.optim.SGD(groups(layers), 0.1), TopK(k=1))
    message = r"layer 0 \(Sequential\) reads what layer 2 \(Sequential\) makes"
    with pytest.raises(ValueError, match=message), sparse.epoch(0):
        three(two(one(INPUTS.flatten(1))))


def may_be_listed_so():
    """Yield names, models and their layers; what is not a chain has several orders."""
    x = torch.randn(5, 4, generator=generator("orders"))
    a, b, c = (nn.Linear(4, 4) for _ in range(3))
    act, token, ends = nn.ReLU(), nn.Parameter(torch.zeros(4)), nn.ModuleList([a, c])
    one, two = nn.Sequential(a, act), nn.Sequential(b, act)
    yield "branches", lambda: c(b(x) + a(x)), [a, b, c]
    yield "called twice", lambda: c(a(b(a(x)))), [a, b, c]
    yield "fed back", lambda: a(c(b(a(x)))), [a, b, c]
    yield "the top alone first", lambda: c(x) + c(b(a(x))), [a, b, c]
    yield "never called", lambda: c(a(x)), [a, b, c]
    yield "used without a call", lambda: a(x) @ c.weight, [a, b, c]
    yield "a bare parameter", lambda: b(a(x + token)), [a, token, b]
    yield "one activation for two", lambda: c(two(one(x))), [one, two, c]
    yield "both ends at the bottom", lambda: c(b(a(x))), [[a, c], b]
    yield "both ends in a module", lambda: ends[1](b(ends[0](x))), [ends, b]


@pytest.mark.parametrize("schedule", [Full(), TopK(k=1)], ids=["full", "top"])
@pytest.mark.parametrize("case", [*may_be_listed_so()], ids=lambda case: case[0])
def test_layers_that_may_be_listed_so_are_not_refused(case, schedule):
    _, model, layers = case
    optimizer = torch.optim.SGD(groups(layers), 0.1)
    with LayerwiseSparse(layers, optimizer, schedule).epoch(0):
        loss = model().square().sum()
        if loss.requires_grad:  # a layer that is never called moves nothing
            loss.backward()


def tied():
    embedding, head = nn.Embedding(11, 8), nn.Linear(8, 11, bias=False)
    head.weight = embedding.weight
    return [embedding, head]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (Small(), "layers must be a list of the model's layers.*got a Small"),
        ([], "at least one layer"),
        ([nn.Linear(2, 2), nn.ReLU()], r"layer 1 \(ReLU\) has no parameters"),
        ([nn.Linear(2, 2), "fc"], "layer 1 must be a module, .* got a str"),
        ([nn.Linear(2, 2), None], "layer 1 must be a module, .* got a NoneType"),
        (tied(), r"layers 0 and 1 \(Linear\) share a parameter, weight \(11, 8\)"),
    ],
    ids=["a model", "nothing", "no parameters", "a name", "none", "tied"],
)
def test_layers_that_can_not_be_ordered(layers, message):
    one = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(one.parameters(), 0.1)
    with pytest.raises(ValueError, match=message):
        LayerwiseSparse(layers, optimizer, Full())


def test_optimizers_that_would_move_what_is_frozen():
    model = Small()
    with pytest.raises(ValueError, match="has 2 parameters that are in no layer"):
        LayerwiseSparse(model.layers[:2], torch.optim.Adam(model.parameters()), Full())
    with pytest.raises(ValueError, match="LBFGS moves all"):
        made(Full(), torch.optim.LBFGS)
    fused = functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, fused=True)
    with pytest.raises(ValueError, match="fused SGD with momentum"):
        made(Full(), fused)
    each = fused(groups(model.layers))
    sparse = LayerwiseSparse(model.layers, each, TopKAllBottoms(k=1, rho=0.5))
    for epoch in range(6):
        before = states(model)
        with sparse.epoch(epoch) as trainable:
            steps(model, each)
        assert moved(before, states(model)) == trainable
    with pytest.raises(ValueError, match="k must be from 1 to the 3 layers"):
        LayerwiseSparse(model.layers, each, TopK(k=4))
    each.add_param_group({"params": [nn.Parameter(torch.zeros(7))]})  # later
    message = r"has 1 parameters that are in no layer, unnamed \(7,\): name their"
    with pytest.raises(ValueError, match=message), sparse.epoch(0):
        pass


def test_a_gradient_scaler_steps_the_active_optimizers():
    model = Small()
    head = torch.optim.SGD(model.head.parameters(), 0.1)
    rest = torch.optim.SGD(
        [p for group in groups(model.layers[:2]) for p in group["params"]], 0.1
    )
    sparse = LayerwiseSparse(model.layers, [rest, head], tiny.Mask(mask="001"))
    scaler = torch.amp.GradScaler("cpu")
    for epoch, mask in enumerate(["001", "110", "111"]):
        sparse.schedule = tiny.Mask(mask=mask)
        before = states(model)
        with sparse.epoch(epoch) as trainable:
            active = sparse.active_optimizers
            model.zero_grad()
            loss = F.cross_entropy(model.train()(INPUTS), LABELS)
            scaler.scale(loss).backward()
            for each in active:
                scaler.unscale_(each)
                scaler.step(each)
            scaler.update()
        assert moved(before, states(model)) == trainable
        expected = {"001": [head], "110": [rest], "111": [rest, head]}
        assert active == expected[mask]
    assert sparse.active_optimizers == [rest, head]
    with pytest.raises(ValueError, match="or a list of them; got a Small"):
        LayerwiseSparse(model.layers, [rest, model], Full())  # type: ignore[list-item]


def test_it_begins_once_at_a_time():
    model, optimizer, sparse = made(TopK(k=1))
    with pytest.raises(ValueError, match=r"end\(\) without begin\(\)"):
        sparse.end()
    sparse.end(completed=False)  # as after an error, wherever it was
    sparse.begin(0)
    for again in (sparse.begin, sparse.epoch(1).__enter__):
        with pytest.raises(ValueError, match="has begun and not ended"):
            again(*([1] if again == sparse.begin else []))
    assert [p.requires_grad for p in model.head.parameters()] == [True, True]
    assert not any(p.requires_grad for p in model.conv.parameters())
    sparse.end(completed=False)
    assert all(p.requires_grad for p in model.parameters()) and not sparse.counts
    with sparse.epoch(0), pytest.raises(ValueError, match="has begun and not ended"):
        sparse.begin(1)
    assert all(p.requires_grad for p in model.parameters()) and sparse.counts == {2: 1}
    by_step = LayerwiseSparse(model.layers, optimizer, RandomUniform(draw="step"))
    with pytest.raises(ValueError, match="changes from step to step"), by_step.epoch(0):
        pass


def test_a_trainable_layer_that_no_optimizer_has():
    model = Small()
    model.conv.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    sparse = LayerwiseSparse(model.layers, optimizer, tiny.Mask(mask="001"))
    model.conv.requires_grad_(True)  # too late for the optimizer
    with sparse.epoch(0):
        steps(model, optimizer)  # it is frozen, and need not be there
    sparse.schedule = Full()
    message = r"2 trainable parameters of layers \[0, 1, 2\].*in no optimizer, conv\.w"
    with pytest.raises(ValueError, match=message), sparse.epoch(1):
        pass
    assert all(p.requires_grad for p in model.parameters())
    optimizer.add_param_group({"params": list(model.conv.parameters())})
    before = states(model)
    with sparse.epoch(1):
        steps(model, optimizer)
    assert moved(before, states(model)) == {0, 1, 2} and sparse.counts[0] == 1


def loaded_anew(model):
    model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)


def with_another_part(model):
    model.middle[0] = nn.Linear(64, 12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            loaded_anew,
            r"layer 0 \(Conv2d, BatchNorm2d\) has other.*, conv\.weight \(4, ",
        ),
        (
            with_another_part,
            r"layer 1 \(Sequential\) has other.*, middle\.0\.weight \(12",
        ),
    ],
)
def test_layers_that_got_other_parameters(change, named):
    model, _, sparse = made(TopK(k=1))
    with pytest.raises(ValueError, match=named), sparse.epoch(0):
        change(model)
    with pytest.raises(ValueError, match=named), sparse.epoch(1):
        pass
    assert all(p.requires_grad for p in model.parameters()) and not sparse.counts


def test_a_layer_that_was_replaced_is_noticed_by_its_missing_gradient():
    model = Small()
    optimizer = momentum_sgd(model.parameters())
    sparse, old = LayerwiseSparse(model.layers, optimizer, Full()), model.head
    model.head = nn.Linear(12, 3)
    message = r"layers \[2\] were to be updated and had no gradient.*weight \(3, 12\)"
    with pytest.raises(ValueError, match=message), sparse.epoch(0):
        steps(model, optimizer)
    assert not sparse.counts
    sparse.schedule = tiny.Mask(mask="110")
    with sparse.epoch(1):
        steps(model, optimizer)  # the layer is frozen, and may be without a gradient
    sparse = LayerwiseSparse([*model.layers[:2], old], optimizer, Full())
    for step in range(99):
        with sparse.step(0, step):
            steps(model, optimizer, num=1)
    assert sparse.counts == {0: 99, 1: 99}  # what did not move does not count
    with pytest.raises(ValueError, match=message), sparse.step(0, 99):
        steps(model, optimizer, num=1)


def test_a_layer_that_is_left_out_now_and_then_is_not_refused():
    model = Small()
    optimizer = momentum_sgd(model.parameters())
    layers = [*model.layers, nn.Linear(3, 3)]
    optimizer.add_param_group({"params": list(layers[3].parameters())})
    sparse = LayerwiseSparse(layers, optimizer, Full())
    for step in range(250):
        with sparse.step(0, step):
            optimizer.zero_grad()
            outputs = model(INPUTS)
            outputs = layers[3](outputs) if step % 50 == 0 else outputs
            F.cross_entropy(outputs, LABELS).backward()
            optimizer.step()
    assert [sparse.counts[i] for i in range(4)] == [250, 250, 250, 5]


def test_layers_that_the_user_froze_do_not_count_and_can_not_be_all():
    model = Small()
    model.middle.requires_grad_(False)
    optimizer = momentum_sgd(model.parameters())
    sparse = LayerwiseSparse(model.layers, optimizer, Full())
    before = states(model)
    with sparse.epoch(0):
        steps(model, optimizer)
    assert moved(before, states(model)) == {0, 2}
    assert sparse.counts == {0: 1, 2: 1}
    sparse.schedule = tiny.Mask(mask="010")
    with pytest.raises(ValueError, match=r"layers \[1\] are to be updated, and all"):
        sparse.begin(1)


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
def test_a_scheduler_that_is_stepped_inside_while_rates_are_scaled(lr):
    model = Small()
    optimizer = torch.optim.Adam(groups(model.layers), lr, foreach=False)
    scaling = FreezeOut(total_epochs=2, steps_per_epoch=1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    sparse = LayerwiseSparse(model.layers, optimizer, scaling)
    message = r"a learning rate was changed inside from 0\.\d+ to 0\.\d+, which is lost"
    with pytest.raises(ValueError, match=message), sparse.step(1, 0):
        steps(model, optimizer, num=1)
        scheduler.step()
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    assert rates == pytest.approx([0.1] * 3)
    with LayerwiseSparse(model.layers, optimizer, Full()).step(0, 0):
        steps(model, optimizer, num=1)
        scheduler.step()  # nothing is scaled, and nothing lost
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    assert rates == pytest.approx([0.05] * 3)


def test_refusals_name_parameters_as_the_model_does():
    tokens, head = nn.Module(), nn.Linear(4, 2)
    tokens.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
    tokens.pos_embed = nn.Parameter(torch.zeros(1, 3, 4))
    model = nn.Sequential(tokens, head)
    names = r"0\.cls_token \(1, 1, 4\), 0\.pos_embed \(1, 3, 4\)"
    with pytest.raises(ValueError, match=f"that are in no layer, {names}: name"):
        LayerwiseSparse([head], torch.optim.SGD(model.parameters(), 0.1), Full())
    optimizer = torch.optim.SGD(head.parameters(), 0.1)
    layers = [[tokens.cls_token, tokens.pos_embed], head]
    with pytest.raises(ValueError, match=f"in no optimizer, {names}"):
        LayerwiseSparse(layers, optimizer, Full()).begin(0)


def test_a_dropout_that_layers_share_is_on_for_the_trainable_one():
    dropout = nn.Dropout(0.5)
    layers = [nn.Sequential(nn.Linear(36, 8), dropout), nn.Sequential(dropout)]
    layers[1].append(nn.Linear(8, 3))
    seen = []
    layers[1][1].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    optimizer = torch.optim.SGD(groups(layers), 0.1)
    for top_only in (TopK(k=1), BottomQ(q=1)):
        with LayerwiseSparse(layers, optimizer, top_only).epoch(0):
            layers[1](layers[0](INPUTS.flatten(1)))
    assert all((hidden == 0).float().mean() > 0.4 for hidden in seen)


@pytest.mark.parametrize("by_step", [False, True], ids=["epoch", "step"])
def test_gradients_that_a_closure_makes_are_seen(by_step):
    draw = "step" if by_step else "epoch"
    model, optimizer, sparse = made(TopKAllBottoms(k=1, rho=0.5, draw=draw))

    def closure():  # as Lightning has it
        optimizer.zero_grad()
        loss = F.cross_entropy(model(INPUTS), LABELS)
        loss.backward()
        return loss

    updated = Counter()
    for number in range(20):
        epoch, step = (0, number) if by_step else (number, None)
        with sparse.step(epoch, step) as trainable:
            optimizer.step(closure)
        updated.update(trainable)
    assert sparse.counts == updated and 0 < updated[0] < 20


def test_a_frozen_recurrent_layer_without_dropout_keeps_its_mode():
    """cuDNN has no backward pass of one in eval mode."""
    below, above = nn.Linear(6, 4), nn.LSTM(4, 4, num_layers=2)
    dropped, modes = nn.GRU(4, 3, num_layers=2, dropout=0.5), []
    for layer in (above, dropped):
        layer.register_forward_hook(lambda module, *_: modes.append(module.training))
    layers = [below, above, dropped]
    optimizer = torch.optim.SGD(groups(layers), 0.1)
    with LayerwiseSparse(layers, optimizer, tiny.Mask(mask="100")).epoch(0):
        dropped(above(below(INPUTS[:, 0]))[0])[0].sum().backward()
        optimizer.step()
    assert modes == [True, False] and dropped.training
