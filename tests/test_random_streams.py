"""A random stream depends on its name and key, and on nothing else."""

import itertools

import torch

from lazyrich_helpers.random_streams import generator

KEYS = [("a",), ("b",), ("a", 0), ("a", 1), ("a", 0, 1), ("a", 1, 0), ("a", 12, 3)]
KEYS += [("a", 1, 23)]


def draw(*key):
    return torch.rand(8, generator=generator(*key))


def test_equal_keys_draw_the_same_and_others_do_not():
    for key in KEYS:
        assert torch.equal(draw(*key), draw(*key))
    for one, two in itertools.combinations(KEYS, 2):
        assert not torch.equal(draw(*one), draw(*two)), (one, two)


def test_the_global_state_is_neither_read_nor_written():
    torch.manual_seed(1)
    before, first = torch.get_rng_state(), draw("a", 0)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, draw("a", 0))
