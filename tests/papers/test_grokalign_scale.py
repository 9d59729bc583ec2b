"""The paper's own scale is its settings; the penalty's weight is asked of others."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from lazyrich_helpers.data.datasets import images
from lazyrich_helpers.papers.grokalign import scale
from lazyrich_helpers.papers.grokalign.claims import GROKKING, MNIST_1K, PENALTIES
from lazyrich_helpers.papers.grokalign.measures import load_images
from lazyrich_helpers.papers.grokalign.nets import drawn_weights, outputs
from lazyrich_helpers.papers.grokalign.scale import (
    FullSettings,
    PenaltySettings,
    at_full_scale,
    penalty_point,
)
from lazyrich_helpers.papers.grokalign.tables import LEVEL
from lazyrich_helpers.papers.grokalign.training import (
    METHODS,
    GrokkingSettings,
    Method,
    followed,
    training,
)

SMALL = GrokkingSettings(
    seeds=(0, 1), train_size=50, width=12, depth=3, num_steps=4, every=2
)


def trained(batch_size):
    data = load_images("digits", SMALL.train_size, "cpu")
    *_, (_, weights) = training(SMALL, Method(), data, batch_size)
    return data, weights


def test_a_step_is_an_update_on_each_batch_in_the_images_order():
    data, found = trained(20)
    weights = drawn_weights([64, 12, 12, 10], [0], gain=SMALL.gain)
    weights = [w.detach().requires_grad_() for w in weights]
    optimizer = torch.optim.AdamW(weights, lr=SMALL.lr, weight_decay=SMALL.weight_decay)
    for _ in range(SMALL.num_steps):
        for start in (0, 20, 40):
            part = slice(start, start + 20)
            optimizer.zero_grad()
            scores = outputs(weights, data.train[part])[0]
            F.cross_entropy(scores, data.train_labels[part]).backward()
            optimizer.step()
    for one, all_of in zip(weights, found, strict=True):
        torch.testing.assert_close(all_of[:1], one)
    whole, same = trained(None)[1], trained(50)[1]
    assert all(map(torch.equal, whole, same))
    assert not torch.equal(whole[0], found[0])


def test_it_ends_where_all_networks_have_reached_the_level():
    data = load_images("digits", SMALL.train_size, "cpu")
    assert {*followed(SMALL, Method(), data).step} == {0, 2, 4}
    assert {*followed(SMALL, Method(), data, until=0.0).step} == {0}
    first = followed(SMALL, Method(), data).query("step == 0").test
    assert first.min() < first.max()
    between = followed(SMALL, Method(), data, until=first.max())
    assert between.step.max() > 0  # one of them is there at once


def test_held_out_images_stand_for_the_test_images():
    data = images("digits", train_size=50).load()
    found = load_images("digits", 50, "cpu", held_out=True)
    assert torch.equal(found.test_labels, data.held_out.labels[:1000])
    assert not torch.equal(found.test_labels[:40], data.test.labels[:40])
    pixels = found.test / found.unit
    offset = pixels - data.held_out.images[:1000].flatten(1)
    assert offset.std() < 1e-5 < offset.abs().max()


def test_a_penalty_is_judged_by_when_held_out_images_are_right(monkeypatch):
    settings = PenaltySettings(train_size=50, width=24, num_steps=300, every=50)
    data = load_images("digits", 50, "cpu", held_out=True)
    seen = followed(
        GrokkingSettings(
            seeds=settings.seeds, train_size=50, width=24, num_steps=300, every=50
        ),
        Method(penalty=0.3),
        data,
    )
    level = seen.groupby("seed").test.max().median()
    monkeypatch.setattr(scale, "LEVEL", level)
    table = penalty_point(settings, 0.3, "cpu").set_index("seed")
    last = seen[seen.step == 300].set_index("seed").test
    assert table.held_out.to_numpy() == pytest.approx(last.to_numpy(), abs=1e-3)
    assert list(table.step.notna()) == list(seen.groupby("seed").test.max() >= level)
    other = penalty_point(settings, 0.01, "cpu").set_index("seed")
    assert not other.held_out.equals(table.held_out)


def test_the_full_scale_is_the_papers(monkeypatch):
    asked = {}

    def look(settings, method, data, **options):
        asked.update(options, method=method, data=data)

    monkeypatch.setattr(scale, "followed", look)
    settings = dataclasses.replace(
        MNIST_1K.settings("paper"), dataset="digits", train_size=50
    )
    for name, plain in METHODS.items():
        at_full_scale(settings, name, "cpu")
        penalty = 1e-3 if plain.penalty else 0
        assert asked["method"] == dataclasses.replace(plain, penalty=penalty)
    assert asked["data"].train.dtype == asked["data"].test.dtype == torch.float64
    assert (asked["batch_size"], asked["until"]) == (256, LEVEL)
    # Walker et al. (2025), Table 1 and its code; 1,024 are no multiple of ten.
    full = FullSettings()
    assert (full.dataset, full.train_size, full.width) == ("mnist", 1020, 196)
    assert (full.gain, full.lr, full.weight_decay) == (8, 1e-3, 0.01)
    assert (full.depth, full.num_steps, len(full.seeds)) == (4, 100_000, 10)


def test_other_seeds_are_asked_at_the_same_setting():
    ours, asked = GROKKING.settings("paper"), PENALTIES.settings("paper")
    assert not {*asked.seeds} & {*ours.seeds}
    for name in ("dataset", "train_size", "width", "depth", "gain", "weight_decay"):
        assert getattr(ours, name) == getattr(asked, name)
    assert METHODS["GrokAlign"].penalty in asked.penalties
    assert METHODS["GrokAlign"].penalty < max(asked.penalties)
