"""A scikit-learn classifier around any model of features and any training."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rezsl.data import Benchmark, Split
from rezsl.errors import ArgumentError, DataError
from rezsl.estimators._described_classes import DescribedClasses, Frame, Semantics
from rezsl.estimators.selection import class_averaged_accuracy
from rezsl.models import MODELS, MLPRegressor, SemanticModel
from rezsl.semantics import ClassSemantics
from rezsl.training import Setup, Training, train_classifier

ROWS = 4096

Builder = Callable[..., SemanticModel]
Candidates = ClassSemantics | Mapping[Any, Any] | Frame | Shaped[np.ndarray, "K"] | list[Any] | tuple[Any, ...]


class ZeroShotEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn is untyped
    """A scikit-learn classifier that also recognises classes without training samples, from their class semantics.

    Options of the model and fields of the training are nested parameters: ``model__hidden_dim=256``,
    ``training__max_epochs=5`` and ``training__optimization__learning_rate=0.01`` are accepted by the constructor, by
    ``set_params`` and in the grids of searches, and ``get_params`` lists them.

    Args:
        model: a class of :mod:`rezsl.models`, its name on the command line, or any function from ``(region_dim,
            semantics)`` to a model; None takes the default of the estimator.
        training: how the model is trained, for exactly ``max_epochs`` epochs; a model in closed form is solved for
            and uses ``scale`` alone. None takes the default of the estimator. Augmentation is of images and is ignored.
        gamma: γ of calibrated stacking: the scores of classes in training are lowered by it. It may be set after
            fitting.
        random_state: the seed of the training; None draws one from numpy's global generator.
        nested__parameters: nested parameters of the model and of the training.

    Attributes:
        classes_: the labels that ``predict`` chooses among by default, ``[C]``, ascending: all with class semantics.
        seen_classes_: the labels that occurred in training, ascending.
        class_semantics_: the class semantics of ``classes_``, row for row.
        n_features_in_: D.
        classifier_: the trained :class:`~rezsl.ZeroShotClassifier`; its class names are the labels as text.
    """

    default_model: ClassVar[type[SemanticModel]] = MLPRegressor
    default_training: ClassVar[Training] = Training()

    def __init__(
        self,
        model: str | Builder | None = None,
        *,
        training: Training | None = None,
        gamma: float = 0.0,
        random_state: int | np.random.RandomState | None = 0,
        **nested__parameters: Any,
    ) -> None:
        self.model = model
        self.training = training
        self.gamma = gamma
        self.random_state = random_state
        self._nested: dict[str, Any] = {}
        self.set_params(**nested__parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with ``deep`` all nested ones, otherwise the nested ones that were set."""
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            # Parameters that are not valid yet are reported by fit, as scikit-learn requires.
            with suppress(ArgumentError):
                params |= {f"model__{name}": value for name, value in model_options(self._builder()).items()}
                params |= {f"training__{name}": value for name, value in dataclass_fields(self._settings()).items()}
        return params | self._nested

    def set_params(self, **params: Any) -> "ZeroShotEstimator":
        """Set parameters by name; the nested ones are laid over the model and the training, and checked by ``fit``.

        An unknown name is an :class:`ArgumentError`.
        """
        own = super().get_params(deep=False)
        for name, value in params.items():
            if "__" in name:
                self._nested[name] = value
            elif name in own:
                setattr(self, name, value)
            else:
                expected = ", ".join([*own, "model__…", "training__…"])
                raise ArgumentError(f"{name}: expected a parameter of {type(self).__name__} ({expected}), got this one")
        return self

    def fit(self, X: Any, y: Any, class_semantics: Semantics | None = None) -> "ZeroShotEstimator":
        """Train on features and labels; return the estimator.

        Args:
            X: features, ``[N, D]``.
            y: labels, ``[N]``.
            class_semantics: the description of the classes in ``y``, and of any others that ``predict`` may choose: a
                table, whose class names are the labels; a mapping from label to row; a data frame with the labels as
                its index; or an array ``[C, S]`` whose row c describes the label c. None gives each class an attribute
                of its own, which makes an ordinary classifier.

        Raises:
            DataError: a label has no class semantics, or these are not valid.
            ArgumentError: a parameter of the estimator is out of its range.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        seen = np.unique(y)
        described = DescribedClasses.one_hot(seen) if class_semantics is None else DescribedClasses.of(class_semantics)
        described = described.spelt_as(seen).in_order()
        generator = check_random_state(self.random_state)
        # A number is the seed itself, so that it has the same effect as the seed of rezsl.fit.
        seed = int(self.random_state if isinstance(self.random_state, Integral) else generator.randint(2**31 - 1))
        features, training = _tensor(X), replace(self._settings(), augmentation=None, seed=seed)
        samples = _TrainingSamples(features, torch.tensor(described.rows(y, "y")), described.semantics)
        setup = Setup(samples, self._builder(), training=training, progress=False)
        self.classifier_ = train_classifier(setup, "fit", samples.split.trainval, training.max_epochs)
        # In double precision the scores do not depend on the order of rows to within 1e-7, as scikit-learn requires.
        self.classifier_.requires_grad_(False).double()
        self._described = described
        self.classes_, self.seen_classes_, self.class_semantics_ = described.labels, seen, described.semantics
        return self

    def predict_semantics(self, X: Any) -> Float[np.ndarray, "N S"]:
        """Return predicted attributes, ``[N, D] -> [N, S]``."""
        return self.classifier_.attributes_of(self._outputs(X)).numpy()

    def class_scores(self, X: Any, classes: Candidates | None = None) -> Float[np.ndarray, "N K"]:
        """Return the score of every candidate class, lowered by ``gamma`` for those in training, ``[N, K]``.

        The arguments are those of :meth:`predict`; the columns are in the order of the candidates.
        """
        return self._scores(X, self._candidates(classes))

    def decision_function(
        self, X: Any, classes: Candidates | None = None
    ) -> Float[np.ndarray, "N K"] | Float[np.ndarray, "N"]:
        """Return :meth:`class_scores`; of two classes the difference second − first, ``[N]``, as in scikit-learn."""
        scores = self.class_scores(X, classes)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any, classes: Candidates | None = None) -> Shaped[np.ndarray, "N"]:
        """Return the label of the candidate with the highest score, ``[N]``.

        Args:
            X: features, ``[N, D]``.
            classes: the candidates: labels in ``classes_``; or new classes, as a table whose attributes are those of
                training, as a data frame of such columns, or as a mapping from label to row. None means all of
                ``classes_``.

        Raises:
            DataError: a label has no class semantics, or new classes are described by other attributes.
        """
        candidates = self._candidates(classes)
        predicted: np.ndarray = candidates.labels[self._scores(X, candidates).argmax(axis=1)]
        return predicted

    def score(self, X: Any, y: Any, sample_weight: Any = None, classes: Candidates | None = None) -> float:
        """Return the :func:`class_averaged_accuracy` of :meth:`predict` on features ``[N, D]`` and their labels."""
        return class_averaged_accuracy(y, self.predict(X, classes), sample_weight)

    def _builder(self) -> Builder:
        """Return what makes the model, with the nested options."""
        model = MODELS.get(self.model, self.model) if isinstance(self.model, str) else self.model or self.default_model
        if not callable(model):
            raise ArgumentError(f"model: expected a model or one of {', '.join(MODELS)}, got {model!r}")
        options = self._nested_of("model")
        _check_known("model", options, model_options(model))
        return partial(model, **options) if options else model

    def _settings(self) -> Training:
        """Return the training, with the nested fields."""
        training = self.default_training if self.training is None else self.training
        if not isinstance(training, Training):
            raise ArgumentError(f"training: expected a Training or None, got {training!r}")
        settings: Training = with_fields(training, self._nested_of("training"))
        return settings

    def _nested_of(self, outer: str) -> dict[str, Any]:
        if wrong := [name for name in self._nested if name.partition("__")[0] not in ("model", "training")]:
            raise ArgumentError(f"{wrong[0]}: expected a nested parameter model__… or training__…, got this one")
        prefix = f"{outer}__"
        return {name.removeprefix(prefix): value for name, value in self._nested.items() if name.startswith(prefix)}

    def _outputs(self, X: Any) -> torch.Tensor:
        """Return the outputs of the network, in most models the predicted attributes, ``[N, E]``."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self.classifier_.examine(_tensor(X), ROWS)[0]

    def _scores(self, X: Any, candidates: DescribedClasses) -> Float[np.ndarray, "N K"]:
        outputs = self._outputs(X)
        # γ is read here, so that another value needs no new training.
        self.classifier_.gamma = self.gamma
        return self.classifier_.scores(outputs, candidates.semantics).numpy()

    def _candidates(self, classes: Candidates | None) -> DescribedClasses:
        check_is_fitted(self)
        if classes is None:
            return self._described
        if isinstance(classes, ClassSemantics | Mapping | Frame):
            return DescribedClasses.of(classes, self.class_semantics_.attributes)
        labels = np.asarray(classes)
        if labels.ndim != 1 or not len(labels):
            raise DataError(
                f"classes: expected labels, a ClassSemantics or a mapping from label to row, got an array of shape "
                f"{labels.shape}; give the labels in one dimension"
            )
        return self._described.only(labels, "classes")


def _tensor(X: np.ndarray) -> torch.Tensor:
    # PyTorch warns about read-only arrays, although nothing writes to this one.
    return torch.from_numpy(X if X.flags.writeable else X.copy())


class _TrainingSamples(Benchmark):
    """A benchmark of training samples alone, because the caller of an estimator holds out its own test samples.

    A benchmark without unseen classes is refused elsewhere; training does not need any. The estimator has checked
    features, labels and class semantics.
    """

    def __init__(self, features: Float[torch.Tensor, "N D"], labels: Int[torch.Tensor, "N"], semantics: ClassSemantics):
        super().__init__("training samples", features, labels, semantics, Split(torch.arange(len(labels))))

    def __post_init__(self) -> None:
        """Skip the checks of a benchmark."""


def model_options(builder: Callable[..., Any]) -> dict[str, Any]:
    """Return the options of a model builder with their values: its parameters after region_dim and semantics."""
    parameters = list(inspect.signature(builder).parameters.values())[2:]
    return {parameter.name: parameter.default for parameter in parameters}


def dataclass_fields(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return the fields of a dataclass, and of the dataclasses in it by names such as ``optimization__momentum``."""
    result: dict[str, Any] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        result[prefix + field.name] = value
        if is_dataclass(value):
            result |= dataclass_fields(value, f"{prefix}{field.name}__")
    return result


def with_fields(settings: Any, values: Mapping[str, Any], prefix: str = "training") -> Any:
    """Return a copy of a dataclass with other values of fields, also of nested ones; an unknown field is an error."""
    if not values:
        return settings
    _check_known(prefix, values, dataclass_fields(settings))
    plain: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        outer, nested, rest = name.partition("__")
        if nested:
            inner.setdefault(outer, {})[rest] = value
        else:
            plain[name] = value
    settings = replace(settings, **plain)
    changed = {name: with_fields(getattr(settings, name), given, f"{prefix}__{name}") for name, given in inner.items()}
    return replace(settings, **changed)


def _check_known(prefix: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    if unknown := [name for name in given if name not in known]:
        expected = ", ".join(f"{prefix}__{name}" for name in known) or "none"
        kind = prefix.partition("__")[0]
        raise ArgumentError(f"{prefix}__{unknown[0]}: expected a parameter of the {kind} ({expected}), got this one")
