"""What a training does that its options leave open, in lines that ``rezsl fit`` prints before it."""

from jsonargparse import Namespace

from rezsl.data import Benchmark, natural_size, selection_split
from rezsl.regions.pretrained import DEFAULT_SOURCE
from rezsl.training import Training
from rezsl.training._assembly import SMALL_PIXELS
from rezsl.training.protocol import selection_splits


def announced(data: Benchmark, backbone: Namespace | None, training: Training) -> list[str]:
    """Return a line on the network that takes the images, and one on class folds where validation classes are few.

    Args:
        data: the benchmark.
        backbone: the options of ``--backbone``; None stands for the default.
        training: the settings of the training.
    """
    lines = []
    if data.kind == "images":
        size = natural_size(data.inputs)
        network = _default_network(size) if backbone is None else _network(backbone)
        lines.append(f"images of {size} pixels: {network}")
    return lines + _about_folds(data, training)


def _default_network(size: int) -> str:
    if size > SMALL_PIXELS:
        return f"{DEFAULT_SOURCE}, frozen"
    return "small_resnet trained from scratch (--backbone pretrained takes a pretrained network)"


def _network(backbone: Namespace) -> str:
    """Return the network that ``--backbone`` names, and how much of it learns."""
    name, options = backbone.class_path.rpartition(".")[2], backbone.get("init_args") or {}
    if name == "small_resnet":
        return "small_resnet trained from scratch"
    if name != "pretrained":
        return str(name)
    stages = options.get("trainable_stages")
    learns = {0: "frozen", None: "all of it learns", 1: "its last stage learns"}
    source = f"{options.get('source')}{' with random weights' if options.get('random_weights') else ''}"
    return f"{source}, {learns.get(stages, f'its last {stages} stages learn')}"


def _about_folds(data: Benchmark, training: Training) -> list[str]:
    """Return a line where class folds are taken for want of validation classes."""
    folds, seen = len(selection_splits(data, training)), len(data.seen_classes)
    if training.folds != "auto" or folds == 1:
        return []
    count = len(data.class_names(selection_split(data, training.seed).val_unseen))
    few, them = ("1 validation class is", "it") if count == 1 else (f"{count} validation classes are", "them")
    instead = f"{folds} folds of the {seen} seen classes are used instead"
    return [f"{few} too few for γ: {instead} (--folds 1 keeps {them})"]
