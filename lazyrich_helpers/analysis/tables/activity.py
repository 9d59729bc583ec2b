"""What records say about layers and gradients, as tidy tables.

Layers are counted from 0 in their columns, as in code, and from 1 in what is printed.
"""

from collections.abc import Iterable

import pandas as pd

from lazyrich_helpers.analysis.tables.statistics import in_two_digits
from lazyrich_helpers.analysis.tables.tidy import measurements, one_setting, tidy
from lazyrich_helpers.experiments.record import Record
from lazyrich_helpers.measures.activity import Activity
from lazyrich_helpers.measures.criticality import Criticality
from lazyrich_helpers.measures.gradient_concentration import GradientConcentration

DEFINITIONS = ("gradient", "movement")
"""Active by the gradient after each epoch (Section 5) or by movement (Section 4)."""


def layer_name(layer: int, num_layers: int) -> str:
    """Return `1 (lowest)`, ..., `5 (top)`: layers as a reader counts them."""
    ends = {0: " (lowest)", num_layers - 1: " (top)"}
    return f"{layer + 1}{ends.get(layer, '')}"


def activity_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, layer, α and definition of active; weights only.

    Columns beside the config's:
        layer: 0 is the bottom.
        num_weights: Weights in the layer.
        alpha: Share of the network's parameters that is active, in percent.
        definition: `gradient` or `movement`.
        frequency: Mean share of epochs in which a weight is active; by `movement`,
            the share of the layer's weights that are active.
        share: The layer's part of all active weights; a network's add to one.
        relative: `share` over the layer's part of all weights; 1 is even.
        zeros: By `gradient`, the part of the layer's gradients that are exactly zero,
            its biases included, averaged over epochs.
    """
    rows = []
    for columns, measured in measurements(records, Activity.name):
        layers, epochs = measured["layers"], measured["num_epochs"]
        num_weights = sum(layer["num_weights"] for layer in layers)
        for place, alpha in enumerate(measured["percents"]):
            for definition in DEFINITIONS:
                total = sum(layer[definition][place] for layer in layers)
                chances = epochs if definition == "gradient" else 1
                for layer in layers:
                    active, own = layer[definition][place], layer["num_weights"]
                    share = active / total if total else float("nan")
                    row = {"layer": layer["layer"], "num_weights": own, "alpha": alpha}
                    row |= {"definition": definition, "share": share}
                    row["frequency"] = _ratio(active, chances * own)
                    row["relative"] = share * num_weights / own
                    if definition == "gradient":
                        size = own + layer["num_biases"]
                        row["zeros"] = _ratio(sum(layer["num_zeros"]), epochs * size)
                    rows.append(columns | row)
    names = ["layer", "num_weights", "alpha", "definition", "share", "frequency"]
    return tidy(rows, [*names, "relative", "zeros"])


def frequency_summary(table: pd.DataFrame, *, alpha: int) -> pd.DataFrame:
    """Return how often weights are active, in percent: a row per width, layers across.

    A mean over seeds of an `activity_table`, by the gradient's definition at `alpha`
    percent, to one decimal, for print: layers are counted from 1.
    """
    one_setting(table, "width")
    rows = table.loc[(table.definition == "gradient") & (table.alpha == alpha)]
    means = 100 * rows.pivot_table("frequency", index="width", columns="layer")
    names = [layer_name(layer, len(means.columns)) for layer in means.columns]
    return means.round(1).set_axis(names, axis="columns")


def layer_summary(table: pd.DataFrame, *, width: int, alpha: int) -> pd.DataFrame:
    """Return what is active in each layer, in words: a row per layer, 1 the bottom.

    Means over seeds with the half-width of their 95 % interval: `frequency`, how often
    a weight is active, and `share`, the layer's part of all active weights, in percent;
    `relative`, that part over the layer's part of all weights. Of an `activity_table`
    of one setting, at `alpha` percent.
    """
    one_setting(table, "width")
    rows = table.loc[(table.width == width) & (table.definition == "gradient")]
    layers = rows.loc[rows.alpha == alpha].groupby("layer")
    columns = {"frequency": 100.0, "share": 100.0, "relative": 1.0}
    summary = pd.DataFrame(
        {
            name: [in_two_digits(scale * values) for _, values in layers[name]]
            for name, scale in columns.items()
        }
    )
    names = [layer_name(layer, len(layers)) for layer in layers.groups]
    return summary.set_axis(names, axis="index")


def criticality_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, layer and what of it is reset to its initial values.

    Columns beside the config's: `layer` (0 is the bottom); `alpha`, the percentage of
    the network's parameters that counts as active, of which the layer's are reset, or
    NaN where the whole layer is; `num_reset`, `num_parameters` of the layer; `accuracy`
    and `lost`, the trained network's accuracy less that, both 0 to 1.
    """
    rows = []
    for columns, measured in measurements(records, Criticality.name):
        unchanged, num_test = measured["unchanged"], measured["num_test"]
        for layer in measured["layers"]:
            size = layer["num_parameters"]
            resets = [(float("nan"), size, layer["whole"])]
            numbers = (measured["percents"], layer["num_reset"], layer["active"])
            resets += zip(*numbers, strict=True)
            for alpha, num_reset, correct in resets:
                row = {"layer": layer["layer"], "alpha": alpha, "num_reset": num_reset}
                row |= {"num_parameters": size, "accuracy": correct / num_test}
                row["lost"] = (unchanged - correct) / num_test
                rows.append(columns | row)
    names = ["layer", "alpha", "num_reset", "num_parameters", "accuracy", "lost"]
    return tidy(rows, names)


def gradient_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, look and rank of the sorted mini-batch gradient.

    Columns beside the config's: `epoch` (epochs done), `rank` (1 is the largest),
    `num_parameters`, `magnitude`.
    """
    rows = []
    for columns, measured in measurements(records, GradientConcentration.name):
        size = measured["num_parameters"]
        for look in measured["looks"]:
            own = columns | {"epoch": look["epoch"], "num_parameters": size}
            values = zip(measured["ranks"], look["values"], strict=True)
            rows += [own | {"rank": r, "magnitude": value} for r, value in values]
    return tidy(rows, ["epoch", "num_parameters", "rank", "magnitude"])


def skew_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, look and share of the largest gradient components.

    Columns beside the config's: `epoch` (epochs done), `percent` (of the components),
    their shares `l1` and `l2` of $\\sum |g_i|$ and $\\sum g_i^2$, `zeros` (share of
    components that are exactly zero) and `elbow` (its rank over p, as the
    measure has it).
    """
    rows = []
    for columns, measured in measurements(records, GradientConcentration.name):
        size = measured["num_parameters"]
        for look in measured["looks"]:
            own = {"epoch": look["epoch"], "zeros": look["num_zeros"] / size}
            own["elbow"] = look["elbow"] / size
            for place, percent in enumerate(measured["percents"]):
                shares = {norm: look[norm][place] for norm in ("l1", "l2")}
                rows.append(columns | own | {"percent": percent} | shares)
    return tidy(rows, ["epoch", "percent", "l1", "l2", "zeros", "elbow"])


def layer_skew_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per run, look, layer and share of the layer's largest components.

    Columns beside the config's: `epoch` (epochs done), `layer` (0 is the bottom),
    `size` and `share`, the layer's part of all components and of $\\sum |g_i|$,
    `percent` (of the layer's own components) and `l1`, their share of its own sum.
    """
    rows = []
    for columns, measured in measurements(records, GradientConcentration.name):
        sizes, whole = measured["layer_sizes"], measured["num_parameters"]
        for look in measured["looks"]:
            for index, layer in enumerate(look["layers"]):
                own = {"epoch": look["epoch"], "layer": index}
                own |= {"size": sizes[index] / whole, "share": layer["share"]}
                for percent, l1 in zip(measured["percents"], layer["l1"], strict=True):
                    rows.append(columns | own | {"percent": percent, "l1": l1})
    return tidy(rows, ["epoch", "layer", "size", "share", "percent", "l1"])


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
