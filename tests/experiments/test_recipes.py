"""A recipe is the same runs at three scales, each run once, all of them named."""

import pytest

from lazyrich_helpers.experiments.exhibits import RECIPES, make_recipe
from lazyrich_helpers.experiments.recipes import (
    BUDGETS,
    collect,
    exhibit,
    relu_net_configs,
)
from lazyrich_helpers.experiments.record import NUMERICS, Record
from lazyrich_helpers.experiments.scale import LAPTOP
from lazyrich_helpers.measures.measure import Accuracy
from lazyrich_helpers.training.run_config import label
from tests import tiny

ALL = [(name, budget) for name in RECIPES for budget in BUDGETS]


@pytest.mark.parametrize(("name", "budget"), ALL)
def test_a_recipe_names_its_runs_once(name, budget):
    recipe = make_recipe(name, budget)
    assert (recipe.name, recipe.budget) == (name, budget)
    ids = [config.run_id for config in recipe.configs]
    assert len(ids) == len(set(ids)) > 0
    assert ids == [config.run_id for config in make_recipe(name, budget).configs]
    names = [measure.name for measure in recipe.measures]
    assert len(names) == len(set(names)) > 0
    assert RECIPES[name].__doc__


@pytest.mark.parametrize("name", [n for n in RECIPES if n != "table-1-pretrained"])
def test_small_budgets_need_no_download(name):
    """But for what starts from ImageNet's weights: they fit colour images alone."""
    for budget in ("smoke", "laptop"):
        columns = [config.columns() for config in make_recipe(name, budget).configs]
        assert {column["dataset"] for column in columns} == {"digits"}


@pytest.mark.parametrize(("name", "depth"), [("figure-2", 1), ("figure-3", 4)])
def test_the_papers_scale_is_the_papers(name, depth):
    # Li & Banerjee (2021), Section 3: 10,000 images, Adam, 100 epochs, batches of 128.
    for config in make_recipe(name, "paper", widths=[10], seeds=[0], lrs=[0.1]).configs:
        columns = config.columns()
        expected = {"dataset": "mnist", "train_size": 10_000, "depth": depth}
        expected |= {"optimizer": "adam", "lr": 0.1, "num_epochs": 100}
        expected |= {"batch_size": 128, "width": 10, "updates": "full"}
        assert expected.items() <= columns.items()


def test_choices_replace_defaults_and_none_keeps_them():
    choices = {"widths": [3, 5], "seeds": [7], "lrs": [0.5, 1], "num_epochs": 2}
    recipe = make_recipe("figure-2", "smoke", dataset=None, precision=None, **choices)
    columns = [config.columns() for config in recipe.configs]
    seen = [(c["width"], c["lr"], c["seed"], c["num_epochs"]) for c in columns]
    assert seen == [(3, 0.5, 7, 2), (3, 1, 7, 2), (5, 0.5, 7, 2), (5, 1, 7, 2)]
    assert recipe.configs[0].training.precision == "highest"


@pytest.mark.parametrize(
    ("name", "budget", "choices", "words"),
    [
        ("figure-99", "smoke", {}, "recipe must be one of .*; got 'figure-99'"),
        ("figure-2", "huge", {}, "budget must be one of .*; got 'huge'"),
        ("figure-2", "smoke", {"depth": 3}, "one of dataset, widths.* got 'depth'"),
        ("figure-2", "smoke", {"widths": 3}, "widths must be a list .*; got 3"),
        ("figure-2", "smoke", {"widths": []}, r"at least one; got \[\]"),
        ("figure-2", "smoke", {"seeds": [1, 1]}, r"different .*; got \[1, 1\]"),
        ("figure-2", "smoke", {"widths": ["8"]}, "width must be .*; got '8'"),
        ("figure-2", "smoke", {"widths": [8.0]}, "width must be .*; got 8.0"),
        ("figure-2", "smoke", {"lrs": ["a"]}, "lr must be .*; got 'a'"),
        ("figure-2", "smoke", {"dataset": "cats"}, "dataset must be .*; got 'cats'"),
        ("figure-2", "smoke", {"num_epochs": "3"}, "num_epochs must be .*; got '3'"),
        ("figure-2", "smoke", {"widths": [[8]]}, r"widths must be .*; got \[\[8\]\]"),
        ("figure-2", "smoke", {"dataset": ["digits"]}, r"dataset must be .*\['digits'"),
        ("figure-2", "smoke", {"rhos": [0.1]}, "a choice must be one of.*got 'rhos'"),
        ("table-1", "smoke", {"rhos": [0.1, 0.1]}, "rhos must be a list of different"),
        ("table-1", "smoke", {"rhos": [2]}, r"rho must be in \[0, 1\]; got 2"),
    ],
)
def test_a_wrong_choice_is_named_with_its_remedy(name, budget, choices, words):
    with pytest.raises(ValueError, match=words):
        make_recipe(name, budget, **choices)


def test_an_exhibit_has_the_budgets_that_it_has_scales_for():
    @exhibit({"laptop": LAPTOP}, Accuracy)
    def only_one(scale):
        return relu_net_configs(1, scale)

    recipe = only_one("laptop", widths=[3])
    assert (recipe.name, recipe.measures) == ("only-one", (Accuracy,))
    assert [config.columns()["width"] for config in recipe.configs] == [3]
    with pytest.raises(ValueError, match="budget must be one of laptop; got 'paper'"):
        only_one("paper")


def test_collecting_keeps_the_recipes_order(store):
    configs = [tiny.training(seed=seed) for seed in range(4)]
    for config, status in zip(configs, ("ok", "failed: why", "diverged"), strict=False):
        store.write(Record(config, status, origin={"numerics": dict(NUMERICS)}))
    results = collect(tiny.recipe(*configs, measures=()), store)
    assert [record.config for record in results.records] == [configs[0], configs[2]]
    assert list(results.missing) == [configs[1], configs[3]]


@pytest.mark.parametrize("name", RECIPES)
def test_a_label_tells_the_settings_of_a_recipe_apart(name):
    configs = make_recipe(name, "paper").configs
    assert len({label(config) for config in configs}) == len(configs)
