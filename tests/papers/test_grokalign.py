"""Late generalization: the estimator, the alignment, and what the studies hold."""

import dataclasses
import functools
import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lazyrich_helpers.analysis.claims.verdicts import Word
from lazyrich_helpers.experiments.study import read_study
from lazyrich_helpers.notebook.regions_view import regions_slider
from lazyrich_helpers.papers.grokalign import (
    checks,
    measures,
    regions,
    resets,
    tables,
    training,
    xor,
)
from lazyrich_helpers.papers.grokalign.claims import (
    GROKKING,
    KERNEL,
    REGIONS,
    XOR,
)
from lazyrich_helpers.papers.grokalign.input_jacobian import (
    centroids,
    first_component,
    jacobians,
    projected_norm,
    row_alignment,
    unit_directions,
)
from lazyrich_helpers.papers.grokalign.kernel import (
    along_input,
    binary_network,
    predicted_error,
)
from lazyrich_helpers.papers.grokalign.nets import (
    drawn_weights,
    outputs,
    own_inputs,
)
from lazyrich_helpers.papers.grokalign.optimum import best_rows
from lazyrich_helpers.random_streams import generator
from tests.tiny import ROOT


@pytest.fixture
def nets():
    """Two networks with inputs of their own, and their outputs."""
    weights = [w.detach().double() for w in drawn_weights([6, 9, 9, 4], [0, 1])]
    drawn = torch.randn(5, 6, generator=generator("inputs")).double()
    inputs = own_inputs(weights, drawn)
    return weights, inputs, outputs(weights, inputs)


# --- The Jacobian -----------------------------------------------------------------


def test_jacobians_are_those_of_each_network_alone(nets):
    weights, inputs, scores = nets
    found = jacobians(scores, inputs)
    for k in range(2):
        own = [w[k] for w in weights]

        def one(x, own=own):
            return own[2] @ (own[1] @ (own[0] @ x).relu()).relu()

        for n in range(5):
            exact = torch.autograd.functional.jacobian(one, inputs[k, n].detach())
            torch.testing.assert_close(found[k, n], exact)


def test_the_squared_estimate_is_unbiased_and_the_root_is_low(nets):
    _, inputs, scores = nets
    exact = jacobians(scores, inputs).flatten(-2).norm(dim=-1)
    draws = generator("projections")
    # 2,000 draws leave the mean of squares an error of about 1 %.
    estimates = torch.stack([
        projected_norm(scores, inputs, unit_directions(scores, 1, draws), graph=False)
        for _ in range(2000)
    ])  # fmt: skip
    squares = estimates.square().mean(0)
    torch.testing.assert_close(squares, exact.square(), rtol=0.1, atol=0)
    assert (estimates.mean(0) < 0.98 * exact).all()


def test_orthogonal_directions_give_the_norm_exactly(nets):
    _, inputs, scores = nets
    every = torch.eye(4).double()[:, None, None, :].expand(4, *scores.shape)
    found = projected_norm(scores, inputs, every)
    torch.testing.assert_close(
        found, jacobians(scores, inputs).flatten(-2).norm(dim=-1)
    )


def test_directions_have_length_one_and_are_spread_evenly():
    found = unit_directions(torch.zeros(4000, 3), 1, generator("directions"))[0]
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(4000))
    # The mean of v v' is I / C; 4,000 draws leave an error of 0.5 %.
    assert found.T @ found / 4000 == pytest.approx(np.eye(3) / 3, abs=0.03)


def test_alignment_is_one_along_the_input_and_zero_across_it():
    inputs = torch.tensor([[3.0, 4.0]])
    jacobian = torch.tensor([[[6.0, 8.0], [-3.0, -4.0], [4.0, -3.0]]])
    assert row_alignment(jacobian, inputs)[0].tolist() == pytest.approx([1, -1, 0])


# --- The theorems -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "budget"), [("cross-entropy", 2.0), ("squared error", 0.1)]
)
def test_no_map_of_the_same_size_does_better_than_the_theorems(loss, budget):
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    best = best_rows(x, 1, num_classes=4, budget=budget, loss=loss)
    assert best.square().sum().item() == pytest.approx(budget)

    def value(rows):
        if loss == "cross-entropy":
            return F.cross_entropy(rows @ x, torch.tensor(1))
        return (rows @ x - torch.eye(4).double()[1]).square().sum()

    found = torch.randn(4, 3, generator=generator("start")).double()
    for _ in range(4000):  # projected gradient descent finds it
        found.requires_grad_()
        (gradient,) = torch.autograd.grad(value(found), found)
        found = found.detach() - 0.05 * gradient
        found *= min(1.0, math.sqrt(budget) / found.norm().item())
    torch.testing.assert_close(found, best, rtol=0, atol=1e-3)
    if loss == "cross-entropy":
        assert best.sum(0).abs().max() < 1e-12  # the centroid


def test_a_budget_that_does_not_bind_is_a_sentence():
    with pytest.raises(ValueError, match=r"budget must be at most .* got 2.0"):
        best_rows(torch.ones(3), 0, num_classes=2, budget=2.0, loss="squared error")
    with pytest.raises(ValueError, match="loss must be one of"):
        best_rows(torch.ones(3), 0, num_classes=2, budget=0.1, loss="hinge")


def test_the_kernel_tells_how_a_step_moves_the_centroid():
    network = binary_network(6, 16, seed=0)
    train = torch.randn(12, 6, generator=generator("train")).double()
    labels = (train[:, 0] > 0).double()
    test = torch.randn(5, 6, generator=generator("test")).double()
    errors = [
        predicted_error(network, train, labels, test, lr)[0] for lr in (1e-4, 1e-5)
    ]
    assert errors[0] < 1e-3 and errors[1] == pytest.approx(errors[0] / 10, rel=0.2)


def test_along_the_input_is_the_output_where_there_are_no_biases():
    network = binary_network(6, 16, seed=1)
    inputs = torch.randn(7, 6, generator=generator("test")).double()
    torch.testing.assert_close(
        along_input(network, inputs), network(inputs)[:, 0].detach()
    )
    biased = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    with pytest.raises(AssertionError):
        torch.testing.assert_close(along_input(biased, inputs), biased(inputs)[:, 0])


# --- Beside the authors' code -----------------------------------------------------

AUTHORS = json.loads((ROOT / "tests" / "authors.json").read_text())["grokalign"]
"""What their regularizer, centroids and Grokfast made of `authors_network`, in fp64.

Their projections are drawn by torch's global stream after `manual_seed(3)`."""


def authors_network():
    """Return a network as they have it, its inputs and labels."""
    weights = [w.detach()[0].double() for w in drawn_weights([6, 9, 9, 4], [0])]
    layers = []
    for weight in weights:
        layers += [nn.Linear(*weight.T.shape, bias=False), nn.ReLU()]
        layers[-2].weight = nn.Parameter(weight)
    drawn = torch.randn(5, 6, generator=generator("inputs")).double()
    return nn.Sequential(*layers[:-1]), drawn, torch.tensor([0, 1, 2, 3, 0])


def test_penalty_centroids_and_rank_are_the_authors():
    network, drawn, _ = authors_network()
    weights = [p[None] for p in network.parameters()]
    inputs = own_inputs(weights, drawn)
    scores = outputs(weights, inputs)
    # Theirs are fp32 whatever the network: drawn before they are converted.
    own = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(3))
    directions = (own / own.norm(dim=-1, keepdim=True)).double()[:, None]
    found = projected_norm(scores, inputs, directions)
    assert found[0].tolist() == pytest.approx(AUTHORS["norms"], rel=1e-6)
    slopes = torch.autograd.grad(found.mean(), [*network.parameters()])
    norms = [slope.norm().item() for slope in slopes]
    assert norms == pytest.approx(AUTHORS["gradients"], rel=1e-6)
    scores = outputs(weights, inputs)
    middle = centroids(scores, inputs)[0]
    assert middle.numpy() == pytest.approx(np.array(AUTHORS["centroids"]), rel=1e-6)
    cosines = torch.cosine_similarity(middle, inputs[0])
    assert cosines.tolist() == pytest.approx(AUTHORS["alignments"], rel=1e-6)
    shares = first_component(jacobians(scores, inputs))
    assert shares.mean().item() == pytest.approx(AUTHORS["pc1"], rel=1e-6)


def test_grokfast_is_the_authors():
    network, drawn, labels = authors_network()
    parameters, means = [*network.parameters()], []
    for k, theirs in enumerate(AUTHORS["grokfast"], start=1):
        network.zero_grad()
        F.cross_entropy(network(k * drawn), labels).backward()
        means = training.add_slow_gradient_(parameters, means, 0.1)
        norms = [p.grad.norm().item() for p in parameters]
        assert norms == pytest.approx(theirs, rel=1e-6)


# --- The training -----------------------------------------------------------------

SMALL = training.GrokkingSettings(
    seeds=(0, 1), train_size=50, width=12, depth=3, num_steps=3, every=1
)


def trained(name, settings=SMALL):
    data = measures.load_images("digits", settings.train_size, "cpu")
    method = training.METHODS[name]
    *_, (_, weights) = training.training(settings, method, data)
    return weights


@pytest.mark.parametrize("name", training.METHODS)
def test_seeds_trained_as_one_are_those_trained_alone(name):
    together = trained(name)
    first = trained(name, dataclasses.replace(SMALL, seeds=(0,)))
    if name in ("weight decay", "Grokfast"):  # others draw for all seeds at once
        for one, all_of in zip(first, together, strict=True):
            torch.testing.assert_close(one[0], all_of[0])
    else:
        assert not torch.equal(together[0][0], trained("weight decay")[0][0])


def test_the_penalty_shrinks_the_jacobian_and_the_target_stops_it():
    settings = dataclasses.replace(SMALL, num_steps=600)
    data = measures.load_images("digits", 50, "cpu")

    def norm(name):
        return measures.measured(trained(name, settings), data, 0.05)["norm"]

    assert (norm("GrokAlign") < 0.9 * norm("weight decay")).all()
    at_target = training.Method(penalty=1.0, target=200.0)
    inputs = own_inputs(trained("weight decay", SMALL), data.train)
    assert inputs.requires_grad
    draws = generator("target")
    weights = trained("weight decay", SMALL)
    scores = outputs(weights, own := own_inputs(weights, data.train))
    estimate = projected_norm(scores, own, unit_directions(scores, 1, draws))
    plain = training.loss(weights, data, training.Method(), draws)
    found = training.loss(weights, data, at_target, generator("target"))
    expected = (estimate - 200).abs().mean(-1).sum()
    assert (found - plain).item() == pytest.approx(expected.item(), rel=1e-5)


def test_noise_is_least_where_all_images_are_right():
    weights = [torch.eye(3)[None]]
    inputs = torch.eye(3).repeat(400, 1)[None]
    draw = training.noise
    right_labels = torch.arange(3).repeat(400)
    # No hidden layer: outputs are inputs. 3,600 numbers: 1.2 % (one sigma).
    weights = [torch.eye(3)[None], torch.eye(3)[None]]
    for labels, std in ((right_labels, 0.03), ((right_labels + 1) % 3, 0.06)):
        found = draw(weights, inputs, labels, generator("noise")).std().item()
        assert found == pytest.approx(std, rel=0.05)


def test_attacks_stay_within_the_radius_and_raise_the_loss(nets):
    weights, inputs, _ = nets
    labels = torch.arange(5) % 4
    moved = measures.attacked(weights, inputs[0], labels, 0.1)
    assert (moved - inputs).abs().max().item() == pytest.approx(0.1)

    def losses(x):
        return F.cross_entropy(outputs(weights, x).flatten(0, 1), labels.repeat(2))

    assert losses(moved) > losses(inputs)


def test_weights_start_as_torch_has_them_but_larger():
    weights = drawn_weights([400, 50, 10], [0, 1], gain=8)
    assert [tuple(w.shape) for w in weights] == [(2, 50, 400), (2, 10, 50)]
    low, high = weights[0].detach().aminmax()
    assert (low.item(), high.item()) == pytest.approx((-0.4, 0.4), rel=1e-3)
    assert not torch.equal(*weights[0])


# --- XOR --------------------------------------------------------------------------


def test_training_in_the_span_is_training_of_all_inputs():
    settings = xor.XorSettings(
        penalties=(0.3,), seeds=(0,), num_inputs=300, width=8, train_size=20,
        num_test=10, num_steps=20, every=20,
    )  # fmt: skip
    found = xor.xor(settings, 0.3, "cpu").iloc[-1]
    draws = generator("grokalign_xor", 0)
    train, test = (xor.xor_inputs(n, 300, draws) for n in (20, 10))
    labels = train[:, 0] * train[:, 1]
    weights = [w.detach().double() for w in drawn_weights([300, 8, 1], [0])]
    weights = [w.requires_grad_() for w in weights]
    optimizer = torch.optim.SGD(weights, lr=0.1, weight_decay=0.1)
    for _ in range(20):
        inputs = own_inputs(weights, train)
        scores = outputs(weights, inputs)
        norm = jacobians_with_graph(scores, inputs)
        optimizer.zero_grad()
        ((scores[..., 0] - labels).square().mean() + 0.3 * norm.mean()).backward()
        optimizer.step()
    inputs = own_inputs(weights, test)
    jacobian = jacobians(outputs(weights, inputs), inputs)[..., 0, :]
    norm = jacobian.norm(dim=-1).mean().item()
    cosine = torch.cosine_similarity(jacobian, inputs, -1).abs().mean().item()
    assert found["norm"] == pytest.approx(norm, rel=1e-3)
    assert found["alignment"] == pytest.approx(cosine, abs=2e-4)


def jacobians_with_graph(scores, inputs):
    (row,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return row.norm(dim=-1)


def test_two_inputs_make_the_label_and_the_others_are_small():
    found = xor.xor_inputs(50, 30, generator("xor"))
    assert set(found[:, :2].unique().tolist()) == {-1, 1}
    assert found[:, 2:].abs().unique().tolist() == pytest.approx([0.05])


# --- Regions ----------------------------------------------------------------------


def test_the_plane_holds_its_three_images():
    corners = torch.randn(3, 5, generator=generator("corners")).double()
    grid, places = regions.plane(corners, 200)
    for corner, (x, y) in zip(corners, places.tolist(), strict=True):
        nearest = grid[int(200 * y), int(200 * x)]
        side = (grid[0, -1] - grid[0, 0]).norm().item()
        assert (nearest - corner).norm().item() < side / 200


def test_regions_are_counted_and_coloured_by_class():
    # One unit, on where the first coordinate is positive, and two classes.
    weights = [torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[1.0], [0.5]]])]
    across = torch.linspace(-0.9, 1.1, 10)
    grid = torch.stack(torch.meshgrid(across, across, indexing="xy"), -1)
    picture, count = regions.regions(weights, grid)
    assert count == 2 and picture[:10] == "aaaabaaaaa"


def test_the_explorer_shows_what_the_table_has():
    found = read_study(REGIONS)
    explorer = regions_slider(found.table, [[0.2, 0.3]] * 3)
    assert explorer.chosen("stop") == "2,000" and explorer.chosen("row") == "GrokAlign"
    for row in found.table.to_dict("records"):
        place = found.settings.moments.index(row["step"])
        method = found.settings.methods.index(row["methods"])
        words = explorer.data["frames"][f"{method},{place}"]["words"]
        assert f"{row['methods']}, {row['step']:,} steps" in words
        assert f"test accuracy {100 * row['test']:.1f} %" in words
        assert f"{row['regions']:,} linear regions" in words
    assert len(str(explorer.data)) < 60_000


# --- Tables and claims ------------------------------------------------------------


def made_up(base=400.0, ours=200.0, num_seeds=4):
    """Return a table in which test accuracy rises linearly to 0.85 at some steps."""
    rows = []
    for method, at in (("weight decay", base), ("GrokAlign", ours), ("noise", base),
                       ("Grokfast", base)):  # fmt: skip
        for seed in range(num_seeds):
            for step in range(0, 1001, 100):
                test = min(1.0, 0.85 * step / (at + seed))
                row = {"methods": method, "seed": seed, "step": step, "test": test}
                row |= {"train": float(step >= 100), "seconds": step / 10}
                row["seconds"] += 7.0 * (method == "weight decay")  # to start up
                row |= {"true_row": test / 2, "highest_row": 100 / at + 0.01 * seed}
                late = (10 / at + 0.001 * seed) * (step / 1000) ** 2
                rows.append(row | {"robust": late})
    return pd.DataFrame(rows)


def test_reaching_is_interpolated_and_never_is_the_last_step():
    table = made_up()
    found = tables.reaches(table).set_index(["methods", "seed"])
    assert found.loc[("weight decay", 0), "step"] == pytest.approx(400)
    assert found.loc[("GrokAlign", 3), "step"] == pytest.approx(203, abs=5)
    assert found.loc[("GrokAlign", 0), "step_ratio"] == pytest.approx(2)
    assert found.loc[("GrokAlign", 0), "seconds_ratio"] == pytest.approx(2)
    never = tables.reaches(made_up(base=3000.0))
    base = never.set_index("methods").loc["weight decay"]
    assert (base.step == 1000).all() and not base.reached.any()
    assert math.isnan(tables.first_reach(made_up(), "test", 2.0, "step"))


@pytest.mark.parametrize("claim", checks.GROKKING_CLAIMS, ids=lambda c: c.name)
def test_claims_hold_and_fail(claim):
    assert claim.check(made_up()).word is Word.HOLDS
    if claim.name == "GA4":
        worse = made_up().assign(true_row=lambda t: 1 - t.step / 1000)
    else:
        worse = made_up(ours=800.0)
    assert claim.check(worse).word is Word.FAILS


def test_fewer_steps_may_take_more_time():
    slow = made_up()
    slow.loc[slow.methods == "GrokAlign", "seconds"] *= 4
    steps, time = checks.GROKKING_CLAIMS[:2]
    assert steps.check(slow).word is Word.HOLDS
    assert time.check(slow).word is Word.FAILS


def test_cheap_steps_that_do_not_get_there_are_not_faster():
    table = made_up(ours=3000.0)
    table.loc[table.methods == "GrokAlign", "seconds"] /= 100
    found = checks.GROKKING_CLAIMS[1].check(table)
    assert found.word is Word.UNDECIDED
    assert "GrokAlign gets there in 0 of 4 networks." in found.numbers


def test_every_rival_takes_more_steps():
    table = made_up()
    quick = made_up(ours=100.0).query("methods == 'GrokAlign'")
    others = table[table.methods != "Grokfast"]
    table = pd.concat([others, quick.assign(methods="Grokfast")])
    assert checks.more_than_rivals(table).word is Word.FAILS


def test_both_methods_turn_to_all_their_images():
    table = made_up()
    falls = table.methods == "weight decay"
    worse = table.true_row.where(~falls, 1 - table.step / 1000 - 0.01 * table.seed)
    assert checks.aligns(table.assign(true_row=worse)).word is Word.FAILS
    never = (table.methods == "GrokAlign") & (table.seed < 2)
    found = checks.aligns(table.assign(train=table.train.where(~never, 0.9)))
    assert found.word is Word.UNDECIDED
    assert "(2 of 4 networks learn them all)" in found.numbers


def test_a_network_that_ends_without_robustness_leaves_it_open():
    table = made_up()
    last = (table.methods == "weight decay") & (table.seed == 0)
    found = checks.more_robust(table.assign(robust=table.robust.where(~last, 0.0)))
    assert found.word is Word.UNDECIDED


def test_robustness_that_comes_with_accuracy_is_not_late():
    table = made_up()
    # 85 % of the last value, 1.0, is reached where test accuracy is at the line.
    late = tables.lateness(table, "robust").ratio
    assert late.iloc[0] == pytest.approx(0.85**0.5 * 1000 / 400, rel=0.01)
    early = table.assign(robust=table.test**0.5 * (1 + 0.01 * table.seed))
    base = early.methods == "weight decay"
    early.loc[base, "robust"] *= 0.5  # less robust, as the claim also has it
    ratios = tables.lateness(early, "robust").ratio
    assert ratios.to_numpy() == pytest.approx(0.85, abs=0.02)
    assert checks.more_robust(early).word is Word.FAILS


def test_alignment_is_told_where_it_ends():
    (first, second) = checks.aligns(made_up()).numbers.split("; ")
    assert first.endswith(", to 0.5 ± 0") and second.startswith("GrokAlign: the cosine")


def test_xor_and_kernel_claims_hold_and_fail():
    rows = [
        {"penalties": p, "seed": s, "step": t, "noisy": min(1.0, t / (at + s))}
        for p, at in ((0.0, 100), (0.3, 50), (1.0, 160))
        for s in range(4) for t in range(0, 201, 10)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    check = functools.partial(checks.xor_sooner, best=0.3, theirs=1.0)
    found = check(table)
    assert (found.word, found.part) == (Word.PARTLY, "at λ = 0.3")
    assert "λ = 0.3: 2 (1.9 to 2) times as soon (4 of 4 networks" in found.numbers
    swapped = table.replace({"penalties": {0.0: 0.3, 0.3: 0.0}})
    assert check(swapped).word is Word.FAILS
    both = table.replace({"penalties": {0.0: 1.0, 1.0: 0.0}})
    assert check(both).word is Word.HOLDS
    never = table.copy()  # of two seeds, whose last step counts
    never.loc[(table.penalties == 0.3) & (table.seed < 2), "noisy"] = 0.5
    found = checks.xor_sooner(never, best=0.3, theirs=0.3)
    assert "(2 of 4 networks get there)" in found.numbers
    assert found.word is Word.UNDECIDED
    errors = pd.DataFrame(
        {"lrs": [0.1, 0.001] * 3, "seed": [0, 0, 1, 1, 2, 2], "error": [0.3, 0.004] * 3}
    )
    errors.error += 0.0001 * errors.seed
    check = checks.kernel_tells
    assert check(errors, error=0.01).word is Word.HOLDS
    assert check(errors, error=0.001).word is Word.FAILS


def test_a_share_is_one_of_what_training_gave():
    gammas = [0.0, 0.001, 0.01, 0.1, 1.0]
    rows = [
        {"widths": 8, "seed": 0, "gamma": g, "accuracy": a, "alignment": b}
        for g, a, b in zip(
            gammas, [0.9, 0.9, 0.9, 0.5, 0.1], [0.4, 0.4, 0.2, 0.1, 0.0], strict=True
        )
    ]
    (found,) = tables.gammas_lost(pd.DataFrame(rows)).to_dict("records")
    assert found["accuracy"] == pytest.approx(0.1)
    assert found["alignment"] == pytest.approx(0.01)
    assert found["ratio"] == pytest.approx(10)
    (found,) = tables.gammas_lost(pd.DataFrame(rows), share=1.0).to_dict("records")
    assert found["accuracy"] == found["alignment"] == pytest.approx(1)


def test_resets_of_none_and_of_all():
    start, final = (
        [torch.full((2, 3, 4), v), torch.full((2, 2, 3), v)] for v in (0.0, 1.0)
    )
    found = dict(resets.reset_weights(start, final))
    for own, expected in ((found[0.0], final), (found[1.0], start)):
        assert all(map(torch.equal, own, expected))


def test_records_keep_their_identities():
    """What must hold in any run of these studies."""
    table = read_study(GROKKING).table
    firsts = table[table.step == 0].groupby("seed")
    for column in ("test", "norm", "true_row"):  # all methods start alike
        assert (firsts[column].nunique() == 1).all()
    for name in ("true_row", "highest_row", "lowest_row", "centroid"):
        assert table[name].abs().max() <= 1
    assert (table.lowest_row.to_numpy() <= table.true_row.to_numpy()).all()
    assert (table.true_row.to_numpy() <= table.highest_row.to_numpy()).all()
    assert all(0.1 <= part <= 1 for part in table.first_component)  # of ten directions
    errors = read_study(KERNEL).table.groupby("lrs").error.mean()
    assert errors.is_monotonic_increasing
    assert all(0 <= share <= 1 for share in read_study(XOR).table.train)
