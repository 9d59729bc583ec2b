"""Theory against simulation; networks trained as one against one by one."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.models.initialization import XavierNormal
from lazyrich_helpers.models.network import ReluNet
from lazyrich_helpers.papers.init_variance import nets, theory


def rectified_correlation(rho, num=2_000_000):
    """E[relu(a) relu(b)] / E[relu(a)²] of correlated normals, by drawing them."""
    stream = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, num, generator=stream, dtype=torch.float64)
    b = rho * a + math.sqrt(1 - rho**2) * b
    return ((a.relu() * b.relu()).mean() / a.relu().square().mean()).item()


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.25, 0.7, 1.0])
def test_the_recursion_is_the_correlation_of_rectified_gaussians(rho):
    found = theory.next_correlation(rho)
    assert found == pytest.approx(rectified_correlation(rho), abs=3e-3)


def test_the_recursion_has_known_values_and_decays_as_one_over_depth_squared():
    rho = theory.correlations(3000)
    assert rho[0] == 0 and rho[1] == pytest.approx(1 / math.pi)
    assert math.sqrt(1 - rho[9]) == pytest.approx(0.381, abs=5e-4)
    assert (np.diff(rho) > 0).all()
    assert (1 - rho[-1]) * 3000**2 == pytest.approx(9 * math.pi**2 / 2, rel=0.02)


def test_pairs_go_their_own_way():
    pairs = np.array([0.1, 0.9])
    each = [theory.correlations(4, pair) for pair in pairs]
    found = theory.correlations(4, pairs)
    np.testing.assert_allclose(found, np.mean(each, axis=0))
    assert found[-1] != pytest.approx(theory.correlations(4, pairs.mean())[-1])


def test_a_wide_networks_variances_follow_the_recursion():
    inputs = nets.white_noise(300, 1500, 0)
    network = nets.network_from("he", 1500, 10, 0, inputs)
    layers, total, sample = zip(*nets.variances_by_layer(network, inputs), strict=True)
    assert layers == tuple(range(1, 11))
    expected = theory.correlations(10)
    np.testing.assert_allclose(1 - np.divide(sample, total), expected, atol=0.03)
    np.testing.assert_allclose(total, 2, rtol=0.2)  # 2 / n · n · 1


def test_images_start_where_their_correlations_are():
    data = images("digits", train_size=200).load().train.images
    pairs = theory.input_correlations(data)
    assert len(pairs) == 200 * 199 / 2 and pairs.mean() > 0.5
    x, y = data[3].flatten(), data[7].flatten()
    cosine = F.cosine_similarity(x, y, dim=0).item()
    place = 3 * 200 - 3 * 4 // 2 + (7 - 3 - 1)  # row by row above the diagonal
    assert pairs[place] == pytest.approx(cosine, abs=1e-6)


def test_scale_does_not_count():
    """Xavier's rule: another total variance, the same correlations."""
    inputs = nets.white_noise(100, 64, 0)
    he = nets.network_from("he", 64, 8, 5, inputs)
    xavier = ReluNet(width=64, depth=8).build((1, 1, 64), 10)
    XavierNormal().initialize_(xavier, 5, inputs)
    rows = zip(
        nets.variances_by_layer(he, inputs),
        nets.variances_by_layer(xavier, inputs),
        strict=True,
    )
    for (layer, total, sample), (_, halved, small) in rows:
        assert halved / total == pytest.approx(2.0**-layer, rel=1e-4)
        assert small / halved == pytest.approx(sample / total, rel=1e-3)


def test_variances_are_of_units_and_samples():
    made = torch.tensor([[1.0, 3.0], [0.0, 0.0]])
    total, sample = nets.variances(made)
    assert (total, sample) == (2.5, 1.0)  # (1 + 9) / 4; (2 + 0) / 2, unbiased


def test_gradients_grow_downwards_where_the_sample_variance_is_kept():
    inputs = nets.white_noise(200, 600, 0)
    kept = nets.network_from("closed_form", 600, 7, 0, inputs)
    found = nets.gradient_squares(kept, inputs, 0)
    assert found[-1] == 1 and len(found) == 7
    growth = found[0] ** (1 / 6)
    assert growth == pytest.approx(theory.GRADIENT_GROWTH, rel=0.04)
    he = nets.gradient_squares(nets.network_from("he", 600, 7, 0, inputs), inputs, 0)
    assert he[0] ** (1 / 6) == pytest.approx(1, rel=0.06)


def test_gradients_are_autograds():
    inputs = nets.white_noise(5, 6, 0)
    network = nets.network_from("he", 6, 2, 0, inputs)
    found = nets.gradient_squares(network, inputs, 3)
    top = network.layers[1][0].weight
    weights = torch.randn(5, 6, generator=nets.generator("gradient", 3))
    first = network.layers[0][1](inputs.flatten(1))
    below = (weights @ top) * (first > 0)
    expected = below.square().mean() / weights.square().mean()
    assert found[0] == pytest.approx(expected.item(), rel=1e-4)


def test_batch_norm_normalizes_each_unit():
    inputs = nets.white_noise(50, 20, 0)
    network = nets.network_from("batch_norm", 20, 3, 0, inputs)
    (_, norm, _) = network.layers[1]
    made = norm(network.layers[1][0](network.layers[0](inputs)))
    torch.testing.assert_close(made.mean(0), torch.zeros(20), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        made.var(0, correction=0), torch.ones(20), atol=1e-3, rtol=0
    )


DATA = images("digits", train_size=200)


@pytest.mark.parametrize("start", ["sample", "batch_norm"])
def test_trained_together_as_one_by_one(start):
    data = DATA.load()
    inputs = data.train.images[:40]
    made = [nets.network_from(start, 12, 3, seed, inputs) for seed in (0, 1)]
    lrs = [0.05, 0.2]
    options = {"num_steps": 12, "batch_size": 40}
    losses, correct = nets.train_together(made, data, lrs=lrs, seeds=[0, 1], **options)
    assert losses.shape == (12, 2)
    for place in range(2):
        network = nets.network_from(start, 12, 3, place, inputs)
        optimizer = torch.optim.SGD(network.parameters(), lr=lrs[place])
        alone = []
        for epoch in range(3):
            stream = nets.generator("order", place, epoch)
            for batch in torch.randperm(200, generator=stream).split(40):
                logits = network(data.train.images[batch])
                loss = F.cross_entropy(logits, data.train.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                alone.append(loss.item())
        torch.testing.assert_close(
            losses[:, place], torch.tensor(alone[:12]), atol=1e-4, rtol=1e-3
        )
    assert all(0 <= num <= len(data.test) for num in correct)


def test_a_network_that_diverges_leaves_the_others_alone():
    data = DATA.load()
    made = [nets.network_from("he", 8, 2, 0, data.train.images[:40]) for _ in range(2)]
    options = {"seeds": [0, 0], "num_steps": 8, "batch_size": 40}
    losses, _ = nets.train_together(made, data, lrs=[0.1, 1e30], **options)
    alone, _ = nets.train_together(made, data, lrs=[0.1, 0.1], **options)
    assert not losses[-1, 1].isfinite()
    torch.testing.assert_close(losses[:, 0], alone[:, 0])


def test_steps_to_a_loss_are_of_the_mean_over_a_window():
    falling = torch.tensor([3.0, 2.0, 1.0, 0.0, 4.0])
    never, gone = torch.full((5,), 2.0), torch.full((5,), math.nan)
    losses = torch.stack([falling, never, gone], dim=1)
    assert nets.steps_to(losses, 0.5, 2)[0] == 4
    assert np.isnan(nets.steps_to(losses, 0.5, 2)[1:]).all()
    assert nets.steps_to(losses, 2.0, 1) == [2.0, 1.0, pytest.approx(np.nan, nan_ok=1)]
