"""A record whose numbers cannot be is refused by name; what is recorded can be."""

import copy
import json

import pytest

from lazyrich_helpers.experiments.record import RecordError
from lazyrich_helpers.experiments.records import Store
from lazyrich_helpers.places import ROOT

RECORDS = ROOT / "book" / "records"


def first_with(measure: str) -> dict:
    """Return the first committed record that has the measure, as JSON has it."""
    for path in sorted(RECORDS.glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        if measure in values["measures"]:
            return values
    raise AssertionError(f"no record has {measure}")


def changed(values: dict, path: str, change) -> dict:
    """Return a copy in which `change` was made of what lies at `path`."""
    copied = copy.deepcopy(values)
    *way, last = [int(key) if key.isdecimal() else key for key in path.split("/")]
    inside = copied
    for key in way:
        inside = inside[key]
    inside[last] = change(inside[last])
    return copied


def shorter(values):
    return values[:-1]


def far_too_many(count):
    return 99_999 if isinstance(count, int) else [99_999_999, *count[1:]]


def none(values):
    return type(values)()


FAULTS = [
    ("curves/num_correct", far_too_many),
    ("curves/num_correct", lambda counts: [-1, *counts[1:]]),
    ("curves/num_correct", lambda counts: [0.5, *counts[1:]]),
    ("curves/train_loss", shorter),
    ("curves/num_correct", none),
    ("accuracy/test/num_correct", far_too_many),
    ("costs/backward_by_epoch", shorter),
    ("costs/forward_by_epoch", shorter),
    ("accuracy/held_out", none),
    ("reinit/active", shorter),
    ("reinit/lazy", none),
    ("reinit/fractions", none),
    ("reinit/active", far_too_many),
    ("reinit/num_test", lambda num: 2 * num),
    ("reinit_weights/lazy", far_too_many),
    ("movement/layers", none),
    ("movement/layers/0/quantiles", shorter),
    ("movement/layers/1/histogram", far_too_many),
    ("activity/layers/1/gradient", shorter),
    ("activity/layers/1/movement", far_too_many),
    ("activity/layers/0/num_zeros", shorter),
    ("criticality/unchanged", far_too_many),
    ("criticality/layers/0/active", shorter),
    ("criticality/layers/0/num_reset", far_too_many),
    ("updates/layers", far_too_many),
    ("updates/lowest", shorter),
    ("clock/seconds", shorter),
    ("gradient_skew/looks", none),
    ("step_times/plans", none),
    ("reinit", none),
]


@pytest.mark.parametrize(("place", "change"), FAULTS)
def test_what_cannot_be_is_refused_by_name(place, change, tmp_path):
    in_curves = place.startswith("curves")
    values = first_with("accuracy" if in_curves else place.split("/")[0])
    wrong = changed(values, place if in_curves else f"measures/{place}", change)
    name = "curves" if in_curves else f"(measure )?{place}"
    if place == "reinit/fractions":
        name = "reinit/"  # either it or what lies along it is named
    (tmp_path / f"{values['run_id']}.json").write_text(json.dumps(wrong))
    match = rf"json is not .* \({name}.* must be .*; got .*\.\); delete it or restore"
    with pytest.raises(RecordError, match=match):
        Store(tmp_path, tmp_path).read(values["run_id"])
