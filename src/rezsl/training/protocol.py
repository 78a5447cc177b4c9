"""The protocol: select on validation classes, refit on all seen classes, test once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.data import Benchmark, SelectionSplit, selection_split
from rezsl.errors import ArgumentError
from rezsl.evaluation import Evaluation, evaluate
from rezsl.functional.shapes import Protocol
from rezsl.losses import ClassificationLoss, CrossEntropyLoss, Objective, RegressionLoss, ReMSELoss
from rezsl.regions import small_resnet
from rezsl.training.assembly import BackboneBuilder, ModelBuilder, in_memory, new_classifier, with_word_vectors
from rezsl.training.augmentation import Augmentation
from rezsl.training.batches import Batches
from rezsl.training.callbacks import BestEpoch, Choice
from rezsl.training.optimization import Optimization
from rezsl.training.randomness import own_randomness
from rezsl.training.run_directory import RunDirectory
from rezsl.training.settings import open_run, settings_of
from rezsl.training.stage import Recipe, train_stage

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
Accelerator = Literal["auto", "cpu", "gpu", "mps"]

DEFAULT_LOSS = ReMSELoss()
DEFAULT_CLASSIFICATION = CrossEntropyLoss()


@dataclass(frozen=True, eq=False)
class FitResult:
    """What :func:`fit` gives back.

    Attributes:
        model: the classifier, trained on all seen classes, with the γ that was selected.
        choice: what the selection stage chose, with its validation figures.
        test: the figures on the test images; None where there are none of unseen classes. Without any of seen classes
            it has T1 and U; S, H and the area are NaN.
        run_dir: where everything was written; None if nowhere.
    """

    model: ZeroShotClassifier
    choice: Choice
    test: Evaluation | None
    run_dir: Path | None


def fit(
    data: Benchmark,
    model: ModelBuilder | None = None,
    backbone: BackboneBuilder = small_resnet,
    loss: RegressionLoss | None = DEFAULT_LOSS,
    loss_weight: float = 1.0,
    classification: ClassificationLoss | None = DEFAULT_CLASSIFICATION,
    scale: float = 20.0,
    optimization: Optimization = Optimization(),
    batches: Batches = Batches(),
    augmentation: Augmentation | None = Augmentation(),
    max_epochs: int = 20,
    patience: int = 10,
    protocol: Protocol = "honest",
    word_vectors: str | Path | None = None,
    text_encoder: str | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    resume: bool = False,
    select_only: bool = False,
    workers: int = 0,
    accelerator: Accelerator = "auto",
    precision: Precision = "32-true",
    progress: bool = True,
    watch: Callable[[Choice], None] | None = None,
) -> FitResult:
    """Train a zero-shot classifier and test it once.

    1. Select: train on the training classes, validate after each epoch on the validation classes and on held-out
       images of the training classes; the last epoch whose H is within one standard error of the highest gives the
       number of epochs and γ.
    2. Refit: train a fresh model on all seen classes for that number of epochs.
    3. Test: score it once on the test images, at that γ.

    Nothing is chosen on test images. Two runs with equal arguments on one CPU give equal weights, and the caller's
    random number generators are left as they were.

    Args:
        data: the benchmark.
        model: builds the semantic model from the number of channels of a region and the word vectors ``[S, L]``, such
            as ``AttentionNet.build``; None takes AttentionNet for images and regions, MLPRegressor for feature vectors.
        backbone: for images, builds the backbone from the number of colour channels and the images' own size, such as
            ``small_resnet``, or ``functools.partial(pretrained, source="microsoft/resnet-101")``.
        loss: the regression loss on semantics; None trains with the classification loss alone.
        loss_weight: λ, the weight of the regression loss beside the classification loss.
        classification: the loss on the scores of the seen classes; None trains with the regression loss alone.
        scale: scale of the class scores.
        optimization: optimizer and learning-rate schedule.
        batches: how samples are drawn into batches.
        augmentation: random changes to training images; None leaves them as they are.
        max_epochs: the most epochs that selection tries; the schedule is laid over them.
        patience: epochs in a row with a validation H below that range after which selection stops.
        protocol: ``oracle`` chooses the epoch and γ on the test classes, as published results did, so that they can be
            compared with; every record of such a run says so.
        word_vectors: a file with vectors of the attributes' names or of the words in them, see
            :func:`rezsl.semantics.load_word_vectors`; None leaves what the benchmark brings.
        text_encoder: instead of such a file, a text model of transformers that encodes the names: a directory or an id.
        seed: of weights, held-out samples, batches and augmentation.
        run_dir: where to write the model, its figures, the history and the training state; None writes nothing.
        resume: go on with the unfinished run in ``run_dir``; the other arguments must be as they were.
        select_only: stop after step 1, as a search for settings does: no test image is looked at, and the model is the
            one trained on the training classes, to the last epoch tried. It writes no ``run_dir``.
        workers: processes that load batches ahead.
        accelerator: where to train; ``auto`` takes a GPU if there is one. A run trains on one device.
        precision: of the arithmetic in training.
        progress: show a progress bar per stage.
        watch: told the validation figures of each epoch of step 1; what it raises ends the run.

    Raises:
        RezslError: an argument, the data or the run directory do not allow the run; nothing is overwritten.
        KeyboardInterrupt: Ctrl-C; ``run_dir`` then holds the model as it was, and the run can be resumed.
    """
    _check(max_epochs, patience, workers, seed, accelerator)
    if protocol == "oracle" and not (len(data.split.test_seen) and len(data.split.test_unseen)):
        raise ArgumentError(
            "protocol: expected 'honest' where there are no test images of seen or of unseen classes, got 'oracle'"
        )
    if select_only and run_dir is not None:
        raise ArgumentError("run_dir: expected none with select_only, which writes nothing, got one")
    if resume and run_dir is None:
        raise ArgumentError("run_dir: expected the directory of the run to resume, got none")
    recipe = Recipe(
        loss,
        loss_weight,
        classification,
        optimization,
        batches,
        augmentation,
        max_epochs,
        seed,
        workers,
        accelerator,
        precision,
    )
    started = time.perf_counter()
    console = Console(stderr=True, quiet=not progress)
    data = with_word_vectors(data, word_vectors, text_encoder, console)
    build = partial(new_classifier, data, model=model, backbone=backbone, scale=scale, seed=seed, protocol=protocol)
    with own_randomness():
        classifier = build(data.split.trainval)
        # Before anything is written: what cannot be selected on, or summed, leaves no half-begun run behind.
        parts = _choose_on(data, protocol, seed)
        Objective(data.semantics.values, loss, loss_weight, scale, classification)
        run = None
        if run_dir is not None:
            run = open_run(run_dir, resume, settings_of(data, classifier, recipe, patience))
        with _taken_back_if_it_never_began(run):
            data = in_memory(data, classifier.input_format)
            choice = _chosen_before(run)
            if choice is None:
                candidate, best = build(parts.train), BestEpoch(patience, protocol == "oracle", watch)
                choice = _select(candidate, data, parts, recipe, best, run, console)
                if select_only:
                    candidate.gamma = choice.gamma
                    return FitResult(candidate.eval(), choice, None, None)
            _refit(classifier, data, choice, recipe, run, console)
            test = _test(classifier, data)
    result = FitResult(classifier.eval(), choice, test, run.path if run is not None else None)
    if run is not None:
        _keep(result, run, time.perf_counter() - started)
    return result


def _check(max_epochs: int, patience: int, workers: int, seed: int, accelerator: Accelerator) -> None:
    for name, number, least in (("max_epochs", max_epochs, 1), ("patience", patience, 1), ("workers", workers, 0)):
        if number < least:
            raise ArgumentError(f"{name}: expected at least {least}, got {number}")
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed: expected a whole number from 0 to 4294967295, got {seed}")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise ArgumentError("accelerator: expected one that this machine has, got 'gpu' without a CUDA device")


def _chosen_before(run: RunDirectory | None) -> Choice | None:
    """What the selection stage of the run has chosen; None if it has not ended."""
    record = run.read_json(run.selection) if run is not None else None
    return Choice.from_record(record, run.selection) if run is not None and record is not None else None


def _choose_on(data: Benchmark, protocol: Protocol, seed: int) -> SelectionSplit:
    """What the selection stage trains on, and what it chooses by."""
    match protocol:
        case "honest":
            return selection_split(data, seed)
        case "oracle":
            return SelectionSplit(data.split.trainval, data.split.test_seen, data.split.test_unseen)


def _select(
    classifier: ZeroShotClassifier,
    data: Benchmark,
    parts: SelectionSplit,
    recipe: Recipe,
    best: BestEpoch,
    run: RunDirectory | None,
    console: Console,
) -> Choice:
    """Choose the number of epochs and γ."""
    held_out = (parts.val_seen, parts.val_unseen)
    with _saved_when_interrupted(run, classifier, best):
        train_stage("select", classifier, data, parts.train, recipe.max_epochs, recipe, held_out, best, run, console)
    assert best.choice is not None
    if run is not None:
        run.write_json(run.selection, asdict(best.choice))
    return best.choice


def _refit(
    classifier: ZeroShotClassifier,
    data: Benchmark,
    choice: Choice,
    recipe: Recipe,
    run: RunDirectory | None,
    console: Console,
) -> None:
    """Train the final model on all seen classes, as the selection stage chose."""
    classifier.gamma = choice.gamma
    with _saved_when_interrupted(run, classifier):
        train_stage("refit", classifier, data, data.split.trainval, choice.epochs, recipe, None, None, run, console)


def _test(classifier: ZeroShotClassifier, data: Benchmark) -> Evaluation | None:
    """The figures on the test images; None where there are none of unseen classes."""
    return evaluate(classifier, data) if len(data.split.test_unseen) else None


def _keep(result: FitResult, run: RunDirectory, seconds: float) -> None:
    """Write the model, and then the figures, which mark the run as finished."""
    save_model(result.model, run.path)
    test = result.test.to_dict() if result.test is not None else None
    validation = {"protocol": result.model.protocol, **asdict(result.choice)}
    figures = {"validation": validation, "test": test, "seconds": round(seconds, 2)}
    run.write_json(run.metrics, figures)


@contextmanager
def _taken_back_if_it_never_began(run: RunDirectory | None) -> Iterator[None]:
    """After an error before the end of the first epoch the run directory is as it was: the cause can be mended."""
    try:
        yield
    except Exception:
        if run is not None:
            run.forget_beginning()
        raise


@contextmanager
def _saved_when_interrupted(
    run: RunDirectory | None, classifier: ZeroShotClassifier, best: BestEpoch | None = None
) -> Iterator[None]:
    """After Ctrl-C the run directory holds the model as it was, so that it can be tried at once."""
    try:
        yield
    except KeyboardInterrupt:
        if best is not None and best.choice is not None:
            classifier.gamma = best.choice.gamma
        if run is not None:
            save_model(classifier.eval(), run.path)
        raise
