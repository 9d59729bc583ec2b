"""A ReLU-Net under TensorFlow's DTensor: `python dtensor_script.py GIVEN FOUND`.

A process of its own, for an interpreter that has TensorFlow and need not have torch: so
it imports nothing of this package. `GIVEN` (.npz) has parameters, images, labels, the
order of examples by epoch, and directives; `FOUND` (.json) gets the losses by epoch.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # else it tells of the processor
# Optional, so no type checker has it.
tf: Any = importlib.import_module("tensorflow")
dtensor: Any = importlib.import_module("tensorflow.experimental.dtensor")

SHARDS = "shards"
"""The mesh's one dimension."""
WHOLE = dtensor.UNSHARDED
DIRECTIVES = {
    "column": ([SHARDS, WHOLE], [SHARDS]),
    "row": ([WHOLE, SHARDS], [WHOLE]),
    "": ([WHOLE, WHOLE], [WHOLE]),
}
"""How a layer is split → layouts of its weights (outputs, inputs) and its biases."""


def main(given: str, found: str) -> None:
    """Train it once for each layout; leave the losses."""
    with np.load(given) as file:
        arrays = dict(file)
    num = int(arrays["num_devices"])
    (cpu,) = tf.config.list_physical_devices("CPU")
    virtual = [tf.config.LogicalDeviceConfiguration()] * num
    tf.config.set_logical_device_configuration(cpu, virtual)
    names = [f"CPU:{device}" for device in range(num)]
    mesh = dtensor.create_mesh([(SHARDS, num)], devices=names)
    split = [str(way) for way in arrays["directives"]]
    whole = [""] * len(split)
    curves = {
        "replicated": loss_curve(arrays, mesh, whole, WHOLE),
        "batch": loss_curve(arrays, mesh, whole, SHARDS),
        "tensor": loss_curve(arrays, mesh, split, WHOLE),
    }
    told = {"version": tf.__version__, "losses": curves}
    Path(found).write_text(json.dumps(told), encoding="utf-8")


def loss_curve(
    given: dict[str, np.ndarray], mesh: Any, ways: Sequence[str], batch_axis: str
) -> list[float]:
    """Train by SGD; return the mean training loss of each epoch, in nats.

    Args:
        given: As in the file.
        mesh: Of devices.
        ways: How each layer is split, one of `DIRECTIVES`.
        batch_axis: What the batch is cut along: the mesh's dimension, or nothing.
    """
    step, curve = stepper(given, mesh, ways), []
    images, labels, size = given["images"], given["labels"], int(given["batch_size"])
    one_hot = np.eye(labels.max() + 1, dtype=images.dtype)[labels]
    cut = [batch_axis, WHOLE]
    for order in given["orders"]:
        total = 0.0
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            parts = (placed(x[batch], cut, mesh) for x in (images, one_hot))
            total += float(step(*parts)) * len(batch)
        curve.append(total / len(order))
    return curve


def stepper(
    given: dict[str, np.ndarray], mesh: Any, ways: Sequence[str]
) -> Callable[[Any, Any], Any]:
    """Return a step of SGD: images and one-hot labels → loss. No line is of layouts."""
    weights, biases = [], []
    for number, way in enumerate(ways):
        of_weight, of_bias = DIRECTIVES[way]
        weight, bias = given[f"weight{number}"], given[f"bias{number}"]
        weights.append(dtensor.DVariable(placed(weight, of_weight, mesh)))
        biases.append(dtensor.DVariable(placed(bias, of_bias, mesh)))
    variables, lr = [*weights, *biases], float(given["lr"])

    @tf.function
    def step(images: Any, one_hot: Any) -> Any:
        with tf.GradientTape() as tape:
            hidden = images
            for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                hidden = tf.nn.relu(hidden) if number else hidden
                hidden = tf.matmul(hidden, weight, transpose_b=True) + bias
            likelihood = tf.reduce_sum(one_hot * tf.nn.log_softmax(hidden), axis=1)
            loss = -tf.reduce_mean(likelihood)
        gradients = tape.gradient(loss, variables)
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(lr * gradient)
        return loss

    return step


def placed(values: np.ndarray, layout: list[str], mesh: Any) -> Any:
    """Return values on a mesh: given to all of it whole, then cut."""
    whole = dtensor.Layout([WHOLE] * values.ndim, mesh)
    everywhere = dtensor.copy_to_mesh(tf.constant(values), whole)
    return dtensor.relayout(everywhere, dtensor.Layout(layout, mesh))


if __name__ == "__main__":
    main(*sys.argv[1:])
