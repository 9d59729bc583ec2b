"""An optimizer is its published update, and its learning rate the stated one."""

import math

import pytest
import torch
from torch import nn

from lazyrich_helpers.training.optimizers import (
    SGD,
    Adam,
    HarmonicSGD,
)

GRADIENTS = [0.5, -1.0, 0.25, 2.0]


def steps(part, start=1.0):
    """Return a parameter's values along `GRADIENTS`, in fp64."""
    parameter = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    optimizer = part.build([parameter])
    values = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        values.append(parameter.item())
    return values


def test_adam_is_kingma_and_bas_algorithm_1():
    theta, mean, square, expected = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        mean, square = 0.8 * mean + 0.2 * g, 0.9 * square + 0.1 * g * g
        unbiased = mean / (1 - 0.8**t), square / (1 - 0.9**t)
        theta -= 0.1 * unbiased[0] / (math.sqrt(unbiased[1]) + 1e-3)
        expected.append(theta)
    part = Adam(lr=0.1, beta1=0.8, beta2=0.9, eps=1e-3)
    assert steps(part) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_nesterovs_with_l2_in_the_gradient(momentum):
    theta, velocity, expected = 1.0, 0.0, []
    for g in GRADIENTS:
        g += 0.01 * theta
        velocity = momentum * velocity + g
        theta -= 0.1 * (g + momentum * velocity)
        expected.append(theta)
    part = SGD(lr=0.1, momentum=momentum, weight_decay=0.01)
    assert steps(part) == pytest.approx(expected, rel=1e-12)


def test_harmonic_sgd_is_heavy_ball_without_decay():
    theta, velocity, expected = 1.0, 0.0, []
    for g in GRADIENTS:
        velocity = 0.8 * velocity + g
        theta -= 0.1 * velocity
        expected.append(theta)
    assert steps(HarmonicSGD(lr=0.1, momentum=0.8)) == pytest.approx(expected)


def test_learning_rates():
    assert [Adam(lr=0.3).lr_at(epoch, 5) for epoch in (0, 99)] == [0.3, 0.3]
    rates = [SGD().lr_at(epoch, 5) for epoch in (0, 29, 30, 59, 60, 90)]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025, 0.00125])
    assert SGD(lr_decay=1).lr_at(1000, 0) == 0.01
    rates = [HarmonicSGD(lr=1).lr_at(epoch, 5) for epoch in (0, 1, 3, 6)]
    assert rates == pytest.approx([1, 3 / 4, 1 / 2, 1 / 3])
