"""Which claim of the paper is asked of which records: every one that can be asked."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pandas as pd

from lazyrich_helpers.analysis.claims import timing as timing_claims
from lazyrich_helpers.analysis.claims import width as claims
from lazyrich_helpers.analysis.claims.activity import (
    CONV_NET_CLAIMS,
    FASHION_CONV_NET,
    FASHION_RELU_NET,
    GRADIENT_CLAIMS,
    RELU_NET_CLAIMS,
)
from lazyrich_helpers.analysis.claims.lws import (
    RANDOM_CIFAR10,
    RANDOM_MNIST,
    STATIC_CIFAR10,
    STATIC_MNIST,
)
from lazyrich_helpers.analysis.claims.pretrained_lws import HARDER, PRETRAINED_CIFAR10
from lazyrich_helpers.analysis.claims.question import EITHER, UNLEARNED, Question, Runs
from lazyrich_helpers.analysis.claims.verdicts import Claim, Verdict, Word
from lazyrich_helpers.analysis.tables.activity import activity_table, skew_table
from lazyrich_helpers.analysis.tables.lws import lws_table, paper_table_1
from lazyrich_helpers.analysis.tables.tidy import (
    best_lr,
    movement_table,
    reinit_table,
    runs_table,
    untrained_table,
    with_untrained,
)
from lazyrich_helpers.analysis.tables.timing import recorded_times, with_clock
from lazyrich_helpers.experiments import untrained
from lazyrich_helpers.experiments.exhibits import make_recipe

CPU_SIZE: dict[str, Any] = {"widths": [16], "precision": "fp32"}
"""A quarter of the paper's VGG-5 and VGG-11: what a CPU can train."""


VGG5 = {width: f"VGG-5 w = {width}, MNIST" for width in (16, 64)}
VGG11 = {width: f"VGG-11 w = {width}, CIFAR-10" for width in (16, 64)}
"""Width → what a question is about; 64 is the paper's."""


def questions() -> list[Question]:
    """Return every claim, asked of all records that it is about; not run ones too."""
    parts = (_gradients, _setup, _reinit, _layers, _static, _probabilistic)
    return [question for part in parts for question in part()]


def _asked(
    where: tuple[str, str, str],
    runs: Runs,
    asked: Iterable[tuple[Claim, Any]],
    ask: Callable[..., Verdict] = Claim.verdict,
) -> list[Question]:
    """Ask claims of tables; `where` is section, what it is about, and page."""
    section, about, page = where
    found = []
    for claim, tables in asked:
        tables = tables if isinstance(tables, tuple) else (tables,)
        found.append(
            Question(
                verdict=ask(claim, *tables),
                section=section,
                about=about,
                page=page,
                runs=runs,
                least_width=claim.least_width,
            )
        )
    return found


def _each(them: Iterable[Claim], *tables: pd.DataFrame) -> list[tuple[Claim, Any]]:
    return [(claim, tables) for claim in them]


LEARNED = 0.5
"""Least test accuracy, at some width, of networks that claims on training are about."""


def _told_of_learning(runs: Runs, found: list[Question]) -> list[Question]:
    """Say of verdicts on trained networks where these have hardly learned."""
    if not runs.records:
        return found
    by_width = runs_table(runs.records).groupby("width").test_accuracy.mean()
    if by_width.max() >= LEARNED:
        return found
    told = []
    for one in found:
        answered = one.verdict.word is not Word.NOT_RUN or one.verdict.part
        if answered and one.setting != EITHER:
            part = f"{one.verdict.part} {UNLEARNED}".strip()
            one = replace(one, verdict=replace(one.verdict, part=part))
        told.append(one)
    return told


def _gradients() -> list[Question]:
    found = []
    for name, recipe in {"VGG-5": "vgg5", "ResNet-18": "resnet18"}.items():
        runs = Runs(recipe=f"figure-1-{recipe}")
        data = "MNIST" if name == "VGG-5" else "CIFAR-10"
        where = ("1", f"{name}, {data}", "01_introduction")
        found += _asked(where, runs, _each(GRADIENT_CLAIMS, skew_table(runs.records)))
        sizes = [(claims.SIZES[name], (runs.results.recipe.configs[0],))]
        found += _asked(("1", name, "03_setup"), runs, sizes, Claim.verdict_on)
    return found


def _setup() -> list[Question]:
    runs = Runs(recipe="learning-rates", choices={"lrs": [0.1]})
    return [
        question
        for depth, part in runs_table(runs.records).groupby("depth")
        for question in _asked(
            ("3", _relu_net(depth), "03_setup"), runs, [(claims.RECIPE_TRAINS, part)]
        )
    ]


def _relu_net(depth: Any, dataset: str = "MNIST") -> str:
    return f"ReLU-Net d = {depth}, {dataset}"


_UP_TO_1000 = [10, 20, 50, 100, 200, 500, 1000]
RELU_WIDTHS = {
    1: [*_UP_TO_1000, 2000, 5000, 10_000, 100_000],
    4: [*_UP_TO_1000, 5000],
}
"""Hidden layers → the widths of Section 4's lines, and those between that we run."""


def _reinit() -> list[Question]:
    found = []
    rates = runs_table(Runs(recipe="learning-rates").records)
    for depth, recipe in {1: "figure-2", 4: "figure-3"}.items():
        best = best_lr(rates.loc[rates.depth == depth])
        random = untrained_table(untrained.kept(depth))
        grows, beats = claims.width_claims(depth)
        tables, widths = {}, RELU_WIDTHS[depth]
        for dataset, lr in (("mnist", 0.1), ("mnist", best), ("fashion_mnist", best)):
            choices = {"widths": widths, "lrs": [lr], "dataset": dataset}
            runs = Runs(recipe=recipe, choices=choices)
            table = tables[dataset] = reinit_table(runs.records)
            asked = _each(claims.reinit_claims(depth), table)
            asked += [(claims.MOST_ARE_LAZY, movement_table(runs.records))]
            name, page = "Fashion-MNIST", "04b_other_data_and_readings"
            if dataset == "mnist":  # the untrained networks saw those images
                name, page = "MNIST", "04_active_parameters"
                beside = table if table.empty else with_untrained(table, random)
                asked += [
                    (beats, beside),
                    *([(grows, random.drop(columns="lr"))] if lr == 0.1 else []),
                ]
            where = ("4", _relu_net(depth, name), page)
            found += _told_of_learning(runs, _asked(where, runs, asked))
        both = (tables["mnist"], tables["fashion_mnist"])
        where = ("4", f"ReLU-Net d = {depth}, both data sets", page)
        found += _asked(where, runs, [(claims.ALIKE, both)])
    return found


def _layers() -> list[Question]:
    relu, fashion = "ReLU-Net d = 4", {"dataset": "fashion_mnist"}
    asked = [
        (relu, "figure-5", {"lrs": [0.1]}, RELU_NET_CLAIMS),
        (relu, "figure-5", {}, RELU_NET_CLAIMS),
        ("Conv-Net d = 2", "figure-6", {}, CONV_NET_CLAIMS),
        ("Conv-Net d = 4", "figure-17", {}, CONV_NET_CLAIMS),
        (relu, "figure-5", fashion, (RELU_NET_CLAIMS[0], FASHION_RELU_NET)),
        ("Conv-Net d = 2", "figure-6", fashion, (FASHION_CONV_NET,)),
        ("Conv-Net d = 4", "figure-17", fashion, (FASHION_CONV_NET,)),
    ]
    found = []
    for network, recipe, choices, them in asked:
        runs = Runs(recipe=recipe, choices=choices)
        name = "Fashion-MNIST" if "dataset" in choices else "MNIST"
        where = ("5", f"{network}, {name}", "05_layer_distribution")
        about = _each(them, activity_table(runs.records))
        found += _told_of_learning(runs, _asked(where, runs, about))
    return found


def _timed(runs: Runs, steps: Runs) -> pd.DataFrame:
    """Return runs with what their steps took, as `tables.timing.with_clock`."""
    table = lws_table(runs.records)
    return table if table.empty else with_clock(table, runs.records, steps.records)


STEPS = {
    name: Runs(recipe=f"step-times-{name}", choices={"precision": "fp32"})
    for name in ("vgg5", "vgg11")
}
CIFAR_SIZE = {**CPU_SIZE, "train_size": 10_000}


def _static() -> list[Question]:
    page = "06_static_lws"
    mnist = Runs(recipe="figure-7-vgg5", choices=CPU_SIZE)
    cifar = Runs(recipe="figure-7-vgg11", choices=CIFAR_SIZE)
    easy, hard = (("6.1", about, page) for about in (VGG5[16], VGG11[16]))
    found = _asked(easy, mnist, _each(STATIC_MNIST, _timed(mnist, STEPS["vgg5"])))
    found += _asked(hard, cifar, _each(STATIC_CIFAR10, lws_table(cifar.records)))
    for about, steps in ((VGG5[64], STEPS["vgg5"]), (VGG11[64], STEPS["vgg11"])):
        times = [recorded_times(record)[0] for record in steps.records]
        order = [(timing_claims.TIME_ORDER, each) for each in times]
        found += _asked(("6.1", about, page), steps, order, Claim.verdict_on)
    return found


def _probabilistic() -> list[Question]:
    page = "07_probabilistic_lws"
    easy, hard = (("6.2", about, page) for about in (VGG5[16], VGG11[16]))
    mnist = Runs(recipe="figure-10-vgg5", choices=CPU_SIZE)
    whole = Runs(recipe="all-bottoms-vgg5")
    cifar = Runs(recipe="table-1", choices=CIFAR_SIZE)
    started = Runs(recipe="table-1-pretrained")
    table, cifar_table = _timed(mnist, STEPS["vgg5"]), _timed(cifar, STEPS["vgg11"])
    both = lws_table([*Runs(recipe="table-1").records, *started.records])
    found = _asked(easy, mnist, _each(RANDOM_MNIST, table))
    at_width = lws_table(whole.records)
    wide = ("6.2", VGG5[64], page)
    # the first alone: the others ask for schedules that this recipe leaves out
    found += _asked(wide, whole, _each(RANDOM_MNIST[:1], at_width))
    found += _asked(hard, cifar, _each(RANDOM_CIFAR10, cifar_table))
    tasks = ("6.2", "MNIST and CIFAR-10", page)
    (harder,) = _asked(tasks, cifar, [(HARDER, (table, cifar_table))])
    found.append(replace(harder, beside=mnist))
    pretrained = ("6.2", "VGG-11 pre-trained, CIFAR-10", page)
    found += _asked(pretrained, started, _each(PRETRAINED_CIFAR10, both))
    line = [(timing_claims.PRINTED_LINE, paper_table_1())]
    clock = "07b_time_and_caching"
    found += _asked(("6.2", "Table 1", clock), cifar, line, Claim.verdict_on)
    scale = make_recipe("table-1", "paper", seeds=[0]).configs[0]  # trained whole
    full = [(timing_claims.FULL_TIME, (r, scale)) for r in STEPS["vgg11"].records]
    timed = ("6.2", VGG11[64], clock)
    return found + _asked(timed, STEPS["vgg11"], full, Claim.verdict_on)
