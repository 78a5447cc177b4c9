"""The protocol: select on validation classes, refit on all seen classes, test once."""

import time
from collections.abc import Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.data import Benchmark, SelectionSplit, class_folds, selection_split
from rezsl.errors import ArgumentError
from rezsl.evaluation import Evaluation, evaluate_together
from rezsl.files import local_path
from rezsl.functional import average_curves
from rezsl.models import ClosedForm
from rezsl.processes import from_first, process_rank
from rezsl.regions import cache_beside, user_cache
from rezsl.terminal import Terminal
from rezsl.training._assembly import (
    BackboneBuilder,
    ModelBuilder,
    for_images,
    in_memory,
    new_classifier,
    with_regions,
    with_word_vectors,
)
from rezsl.training._own_training import has_own_training
from rezsl.training._recording import ErrorHistory, History, Logging, ProgressBar, ValidationPredictions
from rezsl.training.calibration import Calibration, calibrate, gamma_keeping_seen, set_calibration, validate
from rezsl.training.callbacks import FEW_CLASSES, BestEpoch, Callback, Choice, Logger, Stage, best_epoch
from rezsl.training.launching import launched
from rezsl.training.loggers import log_test
from rezsl.training.loop import Validation, train_stage
from rezsl.training.run import RunDirectory
from rezsl.training.settings import Training

AUTO_FOLDS = 4
"""The class folds that ``auto`` takes where one draw of validation classes decides too little."""


@dataclass(frozen=True, eq=False)
class FitResult:
    """What :func:`fit` returns.

    Attributes:
        model: the classifier, trained on all seen classes.
        choice: the number of epochs and γ that the selection stage chose, with its validation metrics.
        test: the metrics on the test images; None where there are no test images of unseen classes. Without test images
            of seen classes it has T1 and U; S, H and the area are NaN.
        run_dir: the directory that everything was written to; None if nothing was written.
    """

    model: ZeroShotClassifier
    choice: Choice
    test: Evaluation | None
    run_dir: Path | None


def fit(
    data: Benchmark,
    model: ModelBuilder | None = None,
    backbone: BackboneBuilder | None = None,
    training: Training = Training(),
    word_vectors: str | Path | None = None,
    text_encoder: str | None = None,
    cache: str | Path | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    logger: Logger | None = None,
    progress: bool = True,
) -> FitResult:
    """Train a zero-shot classifier and test it once: :func:`select`, :func:`refit` and :func:`rezsl.evaluate`.

    1. Select: train on the training classes, validate after each epoch on the validation classes and on held-out
       images of the training classes; the last epoch whose H is within one standard error of the highest gives the
       number of epochs and γ. Where there are few validation classes, this is done for several class folds, and where
       settings of ``training`` are left to the selection, for each of them; see :class:`Training`.
    2. Refit: train a fresh model on all seen classes for that number of epochs. With fewer than
       :data:`rezsl.training.FEW_CLASSES` validation classes per fold, γ is now the one at which the share
       :data:`rezsl.training.KEPT` of its training images stays right against the descriptions of the new classes.
    3. Test: score it once on the test images, at that γ.

    With ``training.devices``, or under ``torchrun`` or SLURM, several processes train one model. Each of them calls the
    callbacks and returns the same result; only the first one writes, shows progress and logs. Whether a callback stops
    a stage is decided in the first process.

    Nothing is chosen on test images. Two runs with equal arguments on one CPU give equal weights, and the caller's
    random number generators are left as they were.

    Args:
        data: the benchmark.
        model: builds the semantic model from the number of channels of a region and the class semantics: a class of
            models such as ``AttentionNet``, a ``functools.partial`` of one with other options, or a function. None
            takes MLPRegressor for feature vectors and for images with a frozen backbone, AttentionNet for images with a
            backbone that learns and for stores of regions.
        backbone: for images, builds the backbone from the number of colour channels and the images' own size, such as
            ``small_resnet``, or ``functools.partial(pretrained, source="microsoft/resnet-101")``. None takes
            ``small_resnet``, trained from scratch, for images of at most :data:`rezsl.training.SMALL_PIXELS` pixels,
            and ``pretrained``, frozen, for larger ones.
        training: losses, optimization, batches and everything else that decides how the model is trained.
        word_vectors: a file with vectors of the attributes' names or of the words in them, see
            :func:`rezsl.semantics.load_word_vectors`; None takes those of the benchmark.
        text_encoder: instead of such a file, a text model of transformers that encodes the names: a directory or an id.
        cache: directory for the regions that a frozen backbone computes of all images, once for all trainings; random
            changes (``training.augmentation``) do not apply to them. None takes ``regions`` beside ``run_dir``, or
            rezsl's directory in the user's cache.
        run_dir: where to write the model, its metrics, the history and the training state; None writes nothing.
        resume: continue the unfinished run in ``run_dir``; the other arguments must be as they were.
        callbacks: objects whose methods both stages call, see :class:`rezsl.training.Callback`.
        logger: any logger of Lightning, such as those of :data:`rezsl.training.LOGGERS`; it receives the metrics of
            each epoch and of the test, and images and tables if it takes them.
        progress: show a progress bar per stage.

    Raises:
        RezslError: an argument, the data or the run directory do not allow the run; nothing is overwritten.
        KeyboardInterrupt: Ctrl-C; ``run_dir`` then holds the model as it was, and the run can be resumed.
    """
    device = launched(training).device
    first = process_rank() == 0
    run_dir, progress, logger = from_first(run_dir), progress and first, logger if first else None
    if resume and run_dir is None:
        raise ArgumentError("run_dir: expected the directory of the run to resume, got none; name it")
    # A copy, because decoded images stay in memory as long as their benchmark does: here, until the test.
    data = copy(with_word_vectors(data, word_vectors, text_encoder, progress))
    if cache is None and run_dir is not None:
        cache = cache_beside(local_path(run_dir))
    # Only the first process writes, and what it reads it passes on to the others.
    held = RunDirectory.held(run_dir, resume) if run_dir is not None and first else nullcontext()
    with held as run:
        result = _fit(Setup(data, model, backbone, training, run, callbacks, logger, progress, cache, device))
    return replace(result, run_dir=local_path(run_dir) if run_dir is not None else None)


def _fit(setup: "Setup") -> FitResult:
    started = time.perf_counter()
    data, run, logger = setup.data, setup.run, setup.logger
    try:
        setup = setup.with_regions()
        choice = from_first(run.read_choice() if run is not None else None)
        if choice is None:
            _, choice = select(setup)
        classifier = _refit(setup, choice)
    except Exception:
        if run is not None:
            run.forget_beginning()
        raise
    test_images = in_memory(setup.data, classifier.input_format, setup.training)
    test = evaluate_together(classifier, test_images) if len(data.split.test_unseen) else None
    if test is not None:
        test = replace(test, t1_oracle=choice.t1_oracle, t1_oracle_epoch=choice.t1_oracle_epoch)
    classifier = for_images(classifier.cpu(), setup.data)
    if run is not None:
        run.finish(classifier, choice, test, time.perf_counter() - started)
    if logger is not None:
        if test is not None:
            log_test(logger, test, choice.epochs)
            logger.save()
        logger.finalize("success")
    return FitResult(classifier, choice, test, run.path if run is not None else None)


@dataclass(frozen=True, eq=False)
class Setup:
    """The arguments that both stages of a training share; :func:`fit` describes them.

    With a ``run``, the settings, the history, the training state and the choice are written into its directory. None as
    the ``device`` takes that of the training.
    """

    data: Benchmark
    model: ModelBuilder | None = None
    backbone: BackboneBuilder | None = None
    training: Training = Training()
    run: RunDirectory | None = None
    callbacks: Sequence[Callback] = ()
    logger: Logger | None = None
    progress: bool = True
    cache: str | Path | None = None
    device: torch.device | None = None

    def with_regions(self) -> "Setup":
        """Return the set-up with a device, and regions in place of images where the backbone is frozen.

        They may be extracted now.
        """
        beside = cache_beside(self.run.path) if self.run is not None else user_cache()
        cache = local_path(self.cache) if self.cache is not None else beside
        device = self.device or launched(self.training).device
        data = with_regions(self.data, self.model, self.backbone, self.training.seed, cache, device, self.progress)
        return replace(self, data=data, device=device)


def select(setup: Setup) -> tuple[ZeroShotClassifier, Choice]:
    """Choose epochs, γ, the calibration and what the settings leave open; only the oracle protocol uses test images.

    The first training has the name ``select``, the others ``select-2``, ``select-3`` and so on; the folds of the
    plainest settings come first.

    The calibration rests on the weights after the last epoch that was tried.

    Returns:
        The classifier of the first fold of the chosen settings after the last epoch that was tried, with the chosen γ,
        and the choice.
    """
    setup = setup.with_regions()
    training, highest = setup.training, setup.training.protocol == "oracle"
    frozen_regions, run = setup.data.regions is not None, setup.run
    splits = selection_splits(setup.data, training, frozen_regions)
    found: list[tuple[list[ZeroShotClassifier], Choice]] = []
    for candidate in training.candidates(frozen_regions):
        if found and not _applies(candidate, found[0][0][0]):
            continue
        folds = [BestEpoch(training.patience, highest) for _ in splits]
        classifiers: list[ZeroShotClassifier] = []
        for parts, best in zip(splits, folds, strict=True):
            number = len(found) * len(splits) + len(classifiers) + 1
            callbacks: list[Callback] = [best]
            if run is not None and not classifiers:
                index = torch.cat([parts.val_seen, parts.val_unseen])
                callbacks.append(ValidationPredictions(run.predictions_of(number), best, index))
            name = "select" if number == 1 else f"select-{number}"
            validation = (parts.val_seen, parts.val_unseen)
            label = _label(len(classifiers), len(splits), candidate, training)
            classifiers.append(
                train_classifier(
                    setup, name, parts.train, training.max_epochs, callbacks, validation, settled=candidate, label=label
                )
            )
        centered, mixup = candidate.centered is True, float(candidate.mixup)
        found.append((classifiers, replace(choice_over(folds, highest), centered=centered, mixup=mixup)))
    # The area counts every γ, so it differs less from draw to draw of validation classes than H at the best γ does.
    best_one = max(range(len(found)), key=lambda position: found[position][1].ausuc)
    classifiers, choice = found[best_one]
    images = in_memory(setup.data, classifiers[0].input_format, setup.training)
    validated = [
        validate(model.to(setup.device), images, parts) for model, parts in zip(classifiers, splits, strict=True)
    ]
    choice = replace(choice, **calibrate(validated, choice.gamma)._asdict())
    choice = from_first(choice)
    classifiers[0].gamma = choice.gamma
    if run is not None:
        run.keep_predictions(1 + best_one * len(splits))
        run.record_choice(choice)
    return for_images(classifiers[0].cpu(), setup.data), choice


def _label(fold: int, folds: int, candidate: Training, training: Training) -> str:
    """Return the fold, counted from 0, and the settings that are tried in it, in words."""
    parts = [f"fold {fold + 1} of {folds}" if folds > 1 else "select"]
    if candidate.mixup and training.mixup == "auto":
        parts.append(f"mixup {candidate.mixup:g}")
    if candidate.centered and training.centered == "auto":
        parts.append("centered")
    return ", ".join(parts)


def _applies(candidate: Training, plainest: ZeroShotClassifier) -> bool:
    """Return whether settings that the selection may choose make sense for the model and the loss."""
    keeps_errors = getattr(candidate.loss, "memory", "batch") != "batch"
    mixes = bool(candidate.mixup) and (has_own_training(plainest) or keeps_errors)
    return not mixes and (plainest.network.scores_are_cosines or not candidate.centered)


def choice_over(folds: Sequence[BestEpoch], highest: bool) -> Choice:
    """Return the epoch and γ for all class folds, among the epochs that each tried; see :meth:`Choice.over`."""
    if len(folds) == 1:
        assert folds[0].choice is not None
        return folds[0].choice
    records = zip(*(fold.epochs for fold in folds), strict=False)
    curves = zip(*(fold.curves for fold in folds), strict=False)
    epochs = [Choice.over(epoch, average_curves(of_folds)) for epoch, of_folds in zip(records, curves, strict=True)]
    return best_epoch(epochs, highest)


def refit(setup: Setup, choice: Choice) -> ZeroShotClassifier:
    """Train the final classifier on all seen classes, for the chosen number of epochs and with γ as in :func:`fit`.

    The temperature of its probabilities and the limit beyond which it refuses an input are those of the choice, too.
    The learning-rate schedule is laid over ``training.max_epochs``, as in the selection.
    """
    setup = setup.with_regions()
    return for_images(_refit(setup, choice).cpu(), setup.data)


def _refit(setup: Setup, choice: Choice) -> ZeroShotClassifier:
    """Return the final classifier, on the device of the training."""
    plainest = setup.training.candidates(setup.data.regions is not None)[0]
    settled = replace(plainest, centered=choice.centered, mixup=choice.mixup)
    index = setup.data.split.trainval
    classifier = train_classifier(setup, "refit", index, choice.epochs, gamma=choice.gamma, settled=settled)
    classifier.to(setup.device)
    images = in_memory(setup.data, classifier.input_format, setup.training)
    calibration = Calibration(choice.temperature, choice.distance_weight, choice.score_weight, choice.limit)
    set_calibration(classifier, images, index, calibration)
    if choice.rests_on_few_classes and setup.training.protocol == "honest":
        classifier.gamma = gamma_keeping_seen(classifier, images, index)
    return classifier


def train_classifier(
    setup: Setup,
    name: str,
    index: Int[Tensor, "N"],
    epochs: int,
    callbacks: Sequence[Callback] = (),
    validation: Validation | None = None,
    gamma: float = 0.0,
    settled: Training | None = None,
    label: str = "",
) -> ZeroShotClassifier:
    """Train a fresh classifier; after Ctrl-C the run directory has the model of that moment, which can be tried.

    Callbacks of the stage are called before those of the set-up. ``settled`` are the settings without ``auto``; None
    takes the plainest. ``label`` is that of the :class:`Stage`. :func:`train_stage` describes the other arguments.
    """
    data, run, training = setup.data, setup.run, settled or setup.training.candidates()[0]
    # The caller's random number generators are left as they were.
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        classifier = new_classifier(data, index, setup.model, setup.backbone, training)
        if run is not None:
            run.begin(data, classifier, setup.training)
        classifier.gamma = gamma
        stage = Stage(name, classifier, epochs, label=label)
        data = in_memory(data, classifier.input_format, training)
        callbacks = [*callbacks, *_own_callbacks(setup, stage), *setup.callbacks]
        checkpoint = run.checkpoint(name) if run is not None else None
        try:
            train_stage(stage, data, index, training, validation, callbacks, checkpoint)
        except KeyboardInterrupt:
            if run is not None:
                save_model(for_images(classifier.eval(), setup.data), run.path)
            raise
    return classifier.eval()


def selection_splits(data: Benchmark, training: Training, frozen_regions: bool) -> tuple[SelectionSplit, ...]:
    """Return, for each class fold, the samples that the selection trains on, and those that it chooses by.

    Args:
        data: the benchmark.
        training: the settings of the training.
        frozen_regions: whether the training is on regions of a frozen backbone, see :meth:`Training.candidates`.
    """
    if training.protocol == "honest":
        split = selection_split(data, training.seed)
        few = len(data.class_names(split.val_unseen)) < FEW_CLASSES and data.of_photos
        choosing = len(training.candidates(frozen_regions)) > 1
        folds = (AUTO_FOLDS if few or choosing else 1) if training.folds == "auto" else training.folds
        return (split,) if folds == 1 else class_folds(data, folds, training.seed)
    if not (len(data.split.test_seen) and len(data.split.test_unseen)):
        raise ArgumentError(
            "protocol: expected 'honest' where there are no test images of seen or of unseen classes, got 'oracle'"
            "; set it so"
        )
    return (SelectionSplit(data.split.trainval, data.split.test_seen, data.split.test_unseen),)


def _own_callbacks(setup: Setup, stage: Stage) -> list[Callback]:
    """Return the callbacks that show and record a stage; a model in closed form has no epochs to record."""
    own: list[Callback] = [Logging(setup.logger)] if setup.logger is not None else []
    if isinstance(stage.classifier.network, ClosedForm):
        return own
    if setup.progress:
        own.append(ProgressBar(Terminal(stderr=True)))
    if setup.run is not None:
        own += [ErrorHistory(setup.run.validation_errors)] if stage.name == "select" else []
        own.append(History(setup.run.history))
    return own
