"""The page of a published model: its classes, its metrics and their protocol, and its limits."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rezsl.errors import one_line_of

if TYPE_CHECKING:
    from rezsl.classifier._classifier import ZeroShotClassifier

MOST_NAMES = 300
MEANINGS = {
    "T1": "images of unseen classes, among unseen classes",
    "U": "images of unseen classes among all classes",
    "S": "images of seen classes among all classes",
    "H": "harmonic mean of U and S",
    "AUSUC": "area under the curve of S over U",
}


def card(
    model: "ZeroShotClassifier",
    repo_id: str,
    license: str,
    metrics: Mapping[str, Any] | None,
    settings: Mapping[str, Any] | None,
) -> str:
    """Return the page in Markdown, with the fields that the hub reads before it.

    Args:
        model: the model.
        repo_id: its name on the hub.
        license: an identifier of the hub, such as ``mit``; empty leaves the field out.
        metrics: ``metrics.json`` of its run, if there is one.
        settings: ``settings.json`` of its run, if there is one.
    """
    fields = ["library_name: rezsl", "pipeline_tag: image-classification", "tags: [rezsl, zero-shot-learning]"]
    fields = [f"license: {json.dumps(license)}", *fields] if license else fields
    unseen = [name for name in model.semantics.classes if name not in set(model.seen_classes)]
    attributes = model.semantics.attributes
    photo = "photo.jpg" if hasattr(model.backbone, "image_size") else "features.npy"
    parts = [
        "---\n" + "\n".join(fields) + "\n---",
        f"# {_text(repo_id)}",
        f"This model recognises {len(model.semantics.classes)} classes by {len(attributes)} attributes. "
        f"{len(model.seen_classes)} of them had training images, {len(unseen)} had none and are recognised by their "
        f"descriptions. Other classes can be given as a table with a row for each.",
        "## Use",
        f"```sh\npip install 'rezsl[cli,images]'\nrezsl predict {repo_id} {photo}\n```",
        f'```python\nimport rezsl\n\nmodel = rezsl.load_model("{repo_id}")\n'
        f'print(model.classify("{photo}", top=3))\n```',
        "## How well",
        *_results(model, metrics, settings),
        "## Limits",
        *_limits(model, settings),
        "## Classes and attributes",
        f"With training images: {_names(model.seen_classes)}",
        f"Without training images: {_names(unseen)}",
        f"Attributes: {_names(attributes)}",
    ]
    return "\n\n".join(parts) + "\n"


def _results(
    model: "ZeroShotClassifier", metrics: Mapping[str, Any] | None, settings: Mapping[str, Any] | None
) -> list[str]:
    test = (metrics or {}).get("test")
    if not isinstance(test, Mapping):
        return ["No test images of classes without training images were at hand, so no figures are given."]
    known = {name: test.get(name) for name in MEANINGS}
    rows = [
        f"| {name} | {value:.3f} | {MEANINGS[name]} |"
        for name, value in known.items()
        if isinstance(value, float) and not math.isnan(value)
    ]
    chosen = (
        "The epoch and γ were chosen without test images, and the test was made once."
        if model.protocol == "honest"
        else "The epoch and γ were chosen on the test classes, as some published figures are: do not compare these "
        "figures with honest ones."
    )
    seed = (settings or {}).get("seed")
    of_seed = f" It is one training, with the seed {seed}: other seeds give other figures." if seed is not None else ""
    collapse = test.get("collapse")
    cautions = [f"**Caution:** {_text(str(one))}." for one in collapse] if isinstance(collapse, list) else []
    return [*cautions, "\n".join(["| metric | value | of |", "|---|---|---|", *rows]), f"{chosen}{of_seed}"]


def _limits(model: "ZeroShotClassifier", settings: Mapping[str, Any] | None) -> list[str]:
    lines = [
        "- The figures hold for images like those of the test; other cameras, places and times were not tested.",
        "- Probabilities compare the classes of the table with each other, and sum to 1 over them.",
        f"- γ is {model.gamma:.3g}: it is subtracted from the scores of classes with training images.",
    ]
    if model.familiarity is None:
        lines.append("- The model names a class for any image, also for one that shows none of its classes.")
    else:
        lines.append("- Images that are unlike the training images and all descriptions are refused.")
    if model.network.caution:
        lines.append(f"- {model.network.caution[0].upper()}{model.network.caution[1:]}.")
    data = (settings or {}).get("data")
    if isinstance(data, Mapping):
        name, count = _text(str(data.get("name", ""))), data.get("inputs")
        lines.append(f"- Training data: {name}, {count} inputs, fingerprint `{_text(str(data.get('sha256', '')))}`.")
    return ["\n".join(lines)]


def _names(names: Any) -> str:
    shown = ", ".join(map(_text, names[:MOST_NAMES]))
    return (shown or "none") + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "") + "."


def _text(name: str) -> str:
    """Return a name of data that Markdown and HTML show as it is."""
    plain = one_line_of(name)
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else "&amp;" if sign == "&" else sign for sign in plain)
