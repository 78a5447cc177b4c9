"""The facts about a model in its exported file, as JSON: names, table, calibration and preprocessing."""

from importlib.metadata import version
from typing import Any

import torch

from rezsl.data import ImageFormat
from rezsl.export._program import Program
from rezsl.regions import ImageBackbone

KEY = "rezsl"
"""The name of the facts in the file's metadata."""

FORMAT = 1
"""The number of the form of the file, which increases with every change that its readers must follow."""


def facts_of(program: Program, quantization: str) -> dict[str, Any]:
    """Return the facts about a program: names, the table of classes, calibration, and how images are fitted.

    ``preprocessing`` is None for features. ``resize`` is the length of the shorter side of a photo before the crop.
    ``grid`` says how many regions come before the cells of the image in ``attention``, and the cells on a side.
    """
    model, form, backbone = program.model, program.model.input_format, program.model.backbone
    preprocessing = grid = None
    if isinstance(form, ImageFormat):
        preprocessing = {
            "size": form.size,
            "resize": form.resize or form.size,
            "framing": form.framing,
            "value_range": form.value_range,
        }
    if program.has_attention and isinstance(backbone, ImageBackbone):
        before, side = backbone.grid(_regions_of(program))
        grid = {"before": before, "side": side}
    return {
        "format": FORMAT,
        "rezsl": version("rezsl"),
        "inputs": [program.kind, "classes", "seen"],
        "outputs": list(program.outputs),
        "classes": list(model.semantics.classes),
        "seen": [name in set(model.seen_classes) for name in model.semantics.classes],
        "attributes": list(model.semantics.attributes),
        # Nine digits are enough for every float32.
        "table": [[float(f"{value:.9g}") for value in row] for row in program.own.tolist()],
        "gamma": model.gamma,
        "temperature": model.temperature,
        "scale": model.scale,
        "protocol": model.protocol,
        "caution": model.network.caution,
        "preprocessing": preprocessing,
        "grid": grid,
        "quantization": quantization,
    }


def _regions_of(program: Program) -> int:
    """Return the number of regions that the backbone computes of an image."""
    backbone = program.model.backbone
    assert isinstance(backbone, ImageBackbone)
    with torch.no_grad():
        image = torch.zeros(1, backbone.channels, backbone.image_size, backbone.image_size)
        return int(backbone(image).shape[1])
