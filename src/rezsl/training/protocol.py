"""The protocol: select on validation classes, refit on all seen classes, test once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.data import Benchmark, SelectionSplit, selection_split
from rezsl.errors import ArgumentError
from rezsl.evaluation import Evaluation, evaluate
from rezsl.regions import small_resnet
from rezsl.training.assembly import BackboneBuilder, ModelBuilder, in_memory, new_classifier, with_word_vectors
from rezsl.training.callbacks import BestEpoch, Choice
from rezsl.training.randomness import own_randomness
from rezsl.training.run_directory import RunDirectory
from rezsl.training.run_settings import settings_of
from rezsl.training.stage import train_stage
from rezsl.training.training import Training


@dataclass(frozen=True, eq=False)
class FitResult:
    """What :func:`fit` returns.

    Attributes:
        model: the classifier, trained on all seen classes, with the γ that was selected.
        choice: the number of epochs and γ that the selection stage chose, with its validation metrics.
        test: the metrics on the test images; None where there are no test images of unseen classes. Without test images
            of seen classes it has T1 and U; S, H and the area are NaN.
        run_dir: the directory that everything was written to; None if nothing was written.
    """

    model: ZeroShotClassifier
    choice: Choice
    test: Evaluation | None
    run_dir: Path | None


@dataclass(frozen=True, eq=False)
class Selection:
    """What :func:`select` returns.

    Attributes:
        model: the classifier of the training classes after the last epoch that was tried, with the chosen γ.
        choice: the number of epochs and γ, with their validation metrics.
    """

    model: ZeroShotClassifier
    choice: Choice


def fit(
    data: Benchmark,
    model: ModelBuilder | None = None,
    backbone: BackboneBuilder = small_resnet,
    training: Training = Training(),
    word_vectors: str | Path | None = None,
    text_encoder: str | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    progress: bool = True,
) -> FitResult:
    """Train a zero-shot classifier and test it once: :func:`select`, :func:`refit` and :func:`rezsl.evaluate`.

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
            as ``AttentionNet``; None takes AttentionNet for images and regions, MLPRegressor for feature vectors.
        backbone: for images, builds the backbone from the number of colour channels and the images' own size, such as
            ``small_resnet``, or ``functools.partial(pretrained, source="microsoft/resnet-101")``.
        training: losses, optimization, batches and everything else that decides how the model is trained.
        word_vectors: a file with vectors of the attributes' names or of the words in them, see
            :func:`rezsl.semantics.load_word_vectors`; None leaves what the benchmark brings.
        text_encoder: instead of such a file, a text model of transformers that encodes the names: a directory or an id.
        run_dir: where to write the model, its metrics, the history and the training state; None writes nothing.
        resume: go on with the unfinished run in ``run_dir``; the other arguments must be as they were.
        progress: show a progress bar per stage.

    Raises:
        RezslError: an argument, the data or the run directory do not allow the run; nothing is overwritten.
        KeyboardInterrupt: Ctrl-C; ``run_dir`` then holds the model as it was, and the run can be resumed.
    """
    started = time.perf_counter()
    if resume and run_dir is None:
        raise ArgumentError("run_dir: expected the directory of the run to resume, got none")
    # A copy, because images that are decoded are kept as long as their benchmark is: here, until the test.
    data = replace(data_with_vectors(data, word_vectors, text_encoder, progress))
    run = RunDirectory(run_dir, resume) if run_dir is not None else None
    with _taken_back_if_it_never_began(run):
        choice = run.choice() if run is not None else None
        if choice is None:
            choice = select(data, model, backbone, training, run, progress=progress).choice
        classifier = refit(data, choice, model, backbone, training, run, progress=progress)
    data = in_memory(data, classifier.input_format)
    test = evaluate(classifier, data) if len(data.split.test_unseen) else None
    result = FitResult(classifier, choice, test, run.path if run is not None else None)
    if run is not None:
        _keep(result, run, time.perf_counter() - started)
    return result


def select(
    data: Benchmark,
    model: ModelBuilder | None = None,
    backbone: BackboneBuilder = small_resnet,
    training: Training = Training(),
    run: RunDirectory | None = None,
    watch: Callable[[Choice], None] | None = None,
    progress: bool = True,
) -> Selection:
    """Choose the number of epochs and γ on validation classes; see :func:`fit` for the arguments.

    No test image is used, except under the oracle protocol.
    """
    parts = _choose_on(data, training)
    with own_randomness():
        classifier = new_classifier(data, parts.train, model, backbone, training)
        _begin(run, data, classifier, training)
        best = BestEpoch(training.patience, training.protocol == "oracle", watch)
        with _saved_when_interrupted(run, classifier, best):
            train_stage(
                "select",
                classifier,
                in_memory(data, classifier.input_format),
                parts.train,
                training.max_epochs,
                training,
                (parts.val_seen, parts.val_unseen),
                best,
                run,
                _console(progress),
            )
    assert best.choice is not None
    if run is not None:
        run.write_json(run.selection, asdict(best.choice))
    classifier.gamma = best.choice.gamma
    return Selection(classifier.eval(), best.choice)


def refit(
    data: Benchmark,
    choice: Choice,
    model: ModelBuilder | None = None,
    backbone: BackboneBuilder = small_resnet,
    training: Training = Training(),
    run: RunDirectory | None = None,
    progress: bool = True,
) -> ZeroShotClassifier:
    """Train the final classifier on all seen classes, as :func:`select` chose; see :func:`fit` for the arguments."""
    seen = data.split.trainval
    with own_randomness():
        classifier = new_classifier(data, seen, model, backbone, training)
        _begin(run, data, classifier, training)
        classifier.gamma = choice.gamma
        data = in_memory(data, classifier.input_format)
        with _saved_when_interrupted(run, classifier):
            train_stage("refit", classifier, data, seen, choice.epochs, training, None, None, run, _console(progress))
    return classifier.eval()


def data_with_vectors(
    data: Benchmark, word_vectors: str | Path | None, text_encoder: str | None, progress: bool = True
) -> Benchmark:
    """The benchmark with vectors of its attributes' names; see :func:`fit` for the arguments."""
    return with_word_vectors(data, word_vectors, text_encoder, _console(progress))


def _console(progress: bool) -> Console:
    return Console(stderr=True, quiet=not progress)


def _choose_on(data: Benchmark, training: Training) -> SelectionSplit:
    """What the selection stage trains on, and what it chooses by."""
    match training.protocol:
        case "honest":
            return selection_split(data, training.seed)
        case "oracle":
            if not (len(data.split.test_seen) and len(data.split.test_unseen)):
                raise ArgumentError(
                    "protocol: expected 'honest' where there are no test images of seen or of unseen classes, got "
                    "'oracle'"
                )
            return SelectionSplit(data.split.trainval, data.split.test_seen, data.split.test_unseen)


def _begin(run: RunDirectory | None, data: Benchmark, classifier: ZeroShotClassifier, training: Training) -> None:
    """Record the settings, once; a run is only resumed with the settings that it began with."""
    if run is not None and not run.begun:
        run.begin(settings_of(data, classifier, training))


def _keep(result: FitResult, run: RunDirectory, seconds: float) -> None:
    """Write the model, and then the metrics, which mark the run as finished."""
    save_model(result.model, run.path)
    test = result.test.to_dict() if result.test is not None else None
    validation = {"protocol": result.model.protocol, **asdict(result.choice)}
    metrics = {"validation": validation, "test": test, "seconds": round(seconds, 2)}
    run.write_json(run.metrics, metrics)


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
