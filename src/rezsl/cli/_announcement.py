"""What a training does that its options leave open, in lines that ``rezsl fit`` prints before it."""

from jsonargparse import Namespace

from rezsl.data import Benchmark, natural_size, selection_split
from rezsl.regions.pretrained import DEFAULT_SOURCE
from rezsl.training import FEW_CLASSES, SMALL_PIXELS, Training, selection_splits


def announced(data: Benchmark, backbone: Namespace | None, training: Training) -> list[str]:
    """Return a line on the network that takes the images, and one on class folds where the selection takes them.

    Args:
        data: the benchmark.
        backbone: the options of ``--backbone``; None stands for the default.
        training: the settings of the training.
    """
    if data.kind != "images":
        return _about_folds(data, training, data.regions is not None)
    size, (network, frozen) = natural_size(data.inputs), network_of(data, backbone)
    given = (backbone.get("init_args") or {}).get("image_size") if backbone is not None else None
    scaled = f", scaled to {given}" if given not in (None, size) else ""
    return [f"images of {size} pixels{scaled}: {network}", *_about_folds(data, training, frozen)]


def network_of(data: Benchmark, backbone: Namespace | None) -> tuple[str, bool]:
    """Return the network that takes the images of a benchmark, with how much of it learns, and whether it is frozen."""
    return _default_network(natural_size(data.inputs)) if backbone is None else _network(backbone)


def _default_network(size: int) -> tuple[str, bool]:
    """Return the network that takes images of a size where no option names one, and whether it is frozen."""
    if size > SMALL_PIXELS:
        return f"{DEFAULT_SOURCE}, frozen", True
    return "small_resnet trained from scratch (--backbone pretrained takes a pretrained network)", False


def _network(backbone: Namespace) -> tuple[str, bool]:
    """Return the network that ``--backbone`` names, with how much of it learns, and whether it is frozen."""
    name, options = backbone.class_path.rpartition(".")[2], backbone.get("init_args") or {}
    if name == "small_resnet":
        return "small_resnet trained from scratch", False
    if name != "pretrained":
        return str(name), False
    stages = options.get("trainable_stages")
    learns = {0: "frozen", None: "all of it learns", 1: "its last stage learns"}
    source = f"{options.get('source')}{' with random weights' if options.get('random_weights') else ''}"
    return f"{source}, {learns.get(stages, f'its last {stages} stages learn')}", stages == 0


def _about_folds(data: Benchmark, training: Training, frozen_regions: bool) -> list[str]:
    """Return a line where the selection takes class folds instead of the validation classes."""
    folds, seen = len(selection_splits(data, training, frozen_regions)), len(data.seen_classes)
    if training.folds != "auto" or folds == 1:
        return []
    count = len(data.class_names(selection_split(data, training.seed).val_unseen))
    classes, them = ("1 validation class", "it") if count == 1 else (f"{count} validation classes", "them")
    if count >= FEW_CLASSES:
        return [
            f"settings and γ are chosen over {folds} folds of the {seen} seen classes (--folds 1 takes the {classes} "
            f"alone and is faster)"
        ]
    too_few = f"{classes} {'is' if count == 1 else 'are'} too few for γ"
    return [f"{too_few}: {folds} folds of the {seen} seen classes are used instead (--folds 1 keeps {them})"]
