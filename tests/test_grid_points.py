"""A grid in words is every combination of what it names, or one sentence."""

import itertools

import pytest

from lazyrich_helpers.runner.chapter_file import Parameter
from lazyrich_helpers.runner.grid_points import MOST, in_order, name_of, parse_grid

KINDS = {
    "budget": ("str", '"laptop"'),
    "dataset": ("str", "None"),
    "widths": ("list[int]", "None"),
    "lrs": ("list[float]", "None"),
    "num_epochs": ("int", "None"),
    "fast": ("bool", "False"),
    "old": ("None", "3"),
    "older": ("None", "[3]"),
}
PARAMETERS = {
    name: Parameter(name, kind, default, "") for name, (kind, default) in KINDS.items()
}


def parse(*words):
    return parse_grid(words, PARAMETERS)


def test_every_combination_is_there_once_the_last_varies_fastest():
    points = parse("num_epochs=1..3", "widths=10,100", "dataset=mnist,digits")
    asked = itertools.product([1, 2, 3], [[10], [100]], ["mnist", "digits"])
    found = [(p["num_epochs"], p["widths"], p["dataset"]) for p in points]
    assert found == list(asked)
    assert len(set(map(name_of, points))) == len(points) == 12


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("widths=10", [[10]]),
        ("widths=10,20..22,5", [[10], [20], [21], [22], [5]]),
        ("widths=-1..1", [[-1], [0], [1]]),
        ("widths=3..3", [[3]]),
        ("widths=none,10", [None, [10]]),
        ("lrs=0.1,1e-05,3", [[0.1], [1e-05], [3.0]]),
        ("num_epochs=+2", [2]),
        ("dataset=mnist,None,3", ["mnist", None, "3"]),
        ("budget=none", ["none"]),
        ("fast=true,False", [True, False]),
        ("old=2,0.5,true,none,word", [2, 0.5, True, None, "word"]),
        ("older=2,a", [[2], ["a"]]),
    ],
)
def test_a_value_is_read_by_its_type(word, values):
    name = word.partition("=")[0]
    found = [point[name] for point in parse(word)]
    assert found == values
    plain = [v[0] if isinstance(v, list) else v for v in found]
    meant = [v[0] if isinstance(v, list) else v for v in values]
    assert [type(v) for v in plain] == [type(v) for v in meant]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "widths=10,100"),
        (["widths"], "'widths'"),
        (["=3"], "''"),
        (["colours=1"], "'colours'"),
        (["widths=1", "widths=2"], "'widths'"),
        (["widths="], "''"),
        (["widths=1,,2"], "'1,,2'"),
        (["widths=1,"], "'1,'"),
        (["widths=1,2,1"], "'1,2,1'"),
        (["widths=1..3,2"], "'1..3,2'"),
        (["lrs=0.1,0.10"], "'0.1,0.10'"),
        (["widths=4..1"], "'4..1'"),
        (["widths=1...3"], "'1...3'"),
        (["lrs=0.1..0.3"], "'0.1..0.3'"),
        (["widths=1.."], "'1..'"),
        (["widths=ten"], "'ten'"),
        (["widths=1.5"], "'1.5'"),
        (["widths=1_0"], "'1_0'"),
        (["widths=true"], "'true'"),
        (["num_epochs=half"], "'half'"),
        (["lrs=small"], "'small'"),
        (["lrs=nan"], "'nan'"),
        (["lrs=inf"], "'inf'"),
        (["lrs=1e999"], "'1e999'"),
        (["fast=maybe"], "'maybe'"),
        (["widths=0..10000"], "'0..10000'"),
        (["widths=0..999999999999999999"], "'0..999999999999999999'"),
        (["widths=1..100", "num_epochs=1..101"], "10100"),
    ],
)
def test_a_slip_is_one_sentence_with_its_value_and_the_remedy(words, told):
    with pytest.raises(ValueError) as stopped:
        parse(*words)
    sentence = str(stopped.value)
    assert "must be" in sentence and "\n" not in sentence and sentence.endswith(".")
    assert told in sentence


def test_the_largest_grid_is_allowed():
    assert len(parse("widths=1..100", "num_epochs=1..100")) == MOST


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match=", ".join(PARAMETERS)):
        parse("width=1")


def test_a_point_has_one_name_whatever_the_order_of_the_words():
    (one,) = parse("widths=10", "dataset=mnist")
    (other,) = parse("dataset=mnist", "widths=10")
    assert name_of(one) == name_of(other) == "dataset=mnist,widths=10"
    assert name_of(in_order({"widths": [1], "budget": "smoke"}, PARAMETERS)) == (
        "budget=smoke,widths=1"
    )


def test_a_name_is_fit_for_a_file_and_tells_values_apart():
    points = parse("dataset=a/b,a%2Fb,é,a b,a=b,cuda:1")
    names = [name_of(point) for point in points]
    assert len(set(names)) == len(points)
    assert not any(set(name) & set("/\\: \n") for name in names)
    with pytest.raises(ValueError, match="at most 200 characters"):
        name_of({"dataset": "x" * 300})
