"""The plane's explorer shows the table's means, and no more than they are."""

import json

import pandas as pd
import pytest

from lazyrich_helpers.notebook.plane_view import Reading, plane_slider

TABLE = pd.DataFrame(
    [
        (0.1, 0.01, 0, 50.0, 0.2),
        (0.1, 0.01, 1, 60.0, 0.4),
        (0.1, 0.1, 0, 70.0, 0.6),
        (0.1, 0.1, 1, None, None),
        (1.0, 0.01, 0, 80.0, 1.0),
        (1.0, 0.01, 1, 80.0, 1.0),
        (1.0, 0.1, 0, None, None),
        (1.0, 0.1, 1, None, None),
    ],
    columns=["gammas", "eta", "seed", "accuracy", "movement"],
)
READINGS = (
    Reading("accuracy", "test accuracy", " %"),
    Reading("movement", "movement", " σ₀", log=0.01),
)


@pytest.fixture
def made():
    planes = {"SGD": TABLE, "Adam": TABLE.assign(accuracy=TABLE.accuracy / 2)}
    return plane_slider(planes, READINGS, start=(0.9, 0.011))


def test_values_are_means_over_the_seeds_that_did_not_diverge(made):
    accuracy, movement = made.data["planes"][0]["values"]
    assert accuracy == [[55.0, 70.0], [80.0, None]]
    assert movement == [[0.3, 0.6], [1.0, None]]
    assert made.data["planes"][1]["values"][0] == [[27.5, 35.0], [40.0, None]]


def test_a_stop_for_every_value_and_a_start_nearby(made):
    labels = {c["name"]: c["labels"] for c in made.data["controls"]}
    assert labels["gamma"] == ["0.1", "1"] and labels["eta"] == ["0.01", "0.1"]
    assert labels["plane"] == ["SGD", "Adam"]
    assert made.chosen("gamma") == "1" and made.chosen("eta") == "0.01"
    assert made.chosen("reading") == "test accuracy"


def test_it_is_strict_json(made):
    json.dumps(made.data, allow_nan=False)
