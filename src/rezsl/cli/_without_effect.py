"""Options that change nothing beside the others, such as a batch size where episodes are drawn.

They are no errors: configurations may hold options for several methods, of which others are in use.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pkgutil import resolve_name
from typing import Any

from jsonargparse import Namespace

from rezsl.cli._announcement import network_of
from rezsl.cli._parser import as_typed
from rezsl.data import Benchmark
from rezsl.models import MODELS, ClosedForm, HasOwnTraining
from rezsl.training import Training

_GROUPS = ("optimization", "batches", "augmentation")
"""Fields of :class:`rezsl.Training` that have fields of their own."""

_OF_EPISODES = ("batches.shots", "batches.balanced", "batches.per_epoch")
_OF_STEPS = ("optimization.step_epochs", "optimization.step_factor")
_OF_LEARNING_BACKBONE = ("optimization.backbone_factor", "optimization.frozen_epochs", "augmentation")
_OF_GRADIENT_DESCENT = ("loss", "loss_weight", "classification", "optimization", "batches", "augmentation")
_OF_EPOCHS = ("max_epochs", "patience")


def without_effect(settings: Namespace, data: Benchmark | None = None) -> list[str]:
    """Return a sentence for each option of a training that is not at its default, and has no effect.

    Args:
        settings: the options of ``rezsl fit``, as they were parsed.
        data: the benchmark; without it, nothing is said about options that depend on it.
    """
    found: dict[str, str] = {}
    changed = _changed(settings)
    for options, why in _reasons(settings, data):
        for option, value in changed.items():
            if any(f"{option}.".startswith(f"{name}.") for name in options):
                shown = {"True": " true", "False": " false", "None": " null"}.get(str(value), f" {value}".rstrip())
                found.setdefault(option, as_typed(f"--{option}{shown} has no effect {why}"))
    return list(found.values())


def _changed(settings: Namespace) -> dict[str, Any]:
    """Return the options that are not at their defaults by dotted name, with their values."""
    changed: dict[str, Any] = {}
    standard = Training()
    for group in _GROUPS:
        if settings[group] is None:
            continue
        for name, default in asdict(getattr(standard, group)).items():
            if (value := settings[group][name]) != default:
                changed[f"{group}.{name}"] = value
    for name in ("loss_weight", "folds", *_OF_EPOCHS):
        if settings[name] != getattr(standard, name):
            changed[name] = settings[name]
    for name in ("loss", "classification"):
        default = getattr(standard, name)
        chosen, options = _choice(settings[name])
        if chosen != type(default).__name__:
            changed[name] = chosen
        else:
            own = {option: value for option, value in options.items() if value != default.arguments.get(option)}
            changed |= {f"{name}.{option}": value for option, value in own.items()}
    for name in ("backbone", "cache"):
        if settings[name] is not None:
            changed[name] = _choice(settings[name])[0]
    return changed


def _choice(given: Any) -> tuple[str | None, dict[str, Any]]:
    """Return the name of a choice such as that of ``--loss``, and its options."""
    if not isinstance(given, Namespace):
        return None if given is None else str(given), {}
    return given.class_path.rpartition(".")[2], dict(given.get("init_args") or {})


def _reasons(settings: Namespace, data: Benchmark | None) -> Iterator[tuple[Sequence[str], str]]:
    """Yield options with why they have no effect beside the others, the strongest reason first."""
    model, network = _model_of(settings)
    if network is not None and issubclass(network, ClosedForm | HasOwnTraining):
        how = "is solved for" if issubclass(network, ClosedForm) else "is trained in a way of its own"
        yield _OF_GRADIENT_DESCENT, f"with --model {model}, which {how}"
        if issubclass(network, ClosedForm):
            yield _OF_EPOCHS, f"with --model {model}, which {how} without epochs"
    if data is not None and data.kind == "features":
        yield ("backbone", "cache", *_OF_LEARNING_BACKBONE), "on features and stored regions, which need no backbone"
    elif data is not None and network_of(data, settings.backbone)[1]:
        lets = "--backbone.trainable_stages 1 lets its last stage learn"
        yield _OF_LEARNING_BACKBONE, f"on regions of a frozen backbone; {lets}"
    batches, optimization = settings.batches, settings.optimization
    if batches.ways:
        size = f"{batches.ways} classes × {batches.shots} images"
        yield ("batches.size",), f"with episodes of {size}; --batches.ways 0 draws batches of that size instead"
    else:
        yield _OF_EPISODES, "with --batches.ways 0, which draws no episodes"
    if optimization.optimizer != "sgd":
        yield ("optimization.momentum",), f"with --optimization.optimizer {optimization.optimizer}, only with sgd"
    if optimization.schedule != "step":
        yield _OF_STEPS, f"with --optimization.schedule {optimization.schedule}, only with step"
    if settings.protocol == "oracle":
        yield ("folds",), "with --protocol oracle, which has no folds"
    yield from _reasons_of_loss(settings)


def _reasons_of_loss(settings: Namespace) -> Iterator[tuple[Sequence[str], str]]:
    loss, options = _choice(settings.loss)
    if loss is None:
        yield ("loss_weight",), "with --loss null"
    if (memory := options.get("memory", "ema")) != "ema":
        yield ("loss.decay",), f"with --loss.memory {memory}, only with ema"
    if (error := options.get("error")) in ("squared", "root"):
        yield ("loss.weights_from",), f"with --loss.error {error}, whose weights are from squared errors in any case"


def _model_of(settings: Namespace) -> tuple[str, type | None]:
    """Return the name and the class of the chosen model; None where that is no class, or the default."""
    name = _choice(settings.model)[0] or ""
    found = MODELS.get(name) or (resolve_name(settings.model.class_path) if name else None)
    return name, found if isinstance(found, type) else None
