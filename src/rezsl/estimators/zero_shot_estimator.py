"""What every estimator has in common: scikit-learn's methods around one trained classifier."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rezsl.classifier import ZeroShotClassifier
from rezsl.errors import DataError
from rezsl.estimators.class_averaged_accuracy import class_averaged_accuracy
from rezsl.estimators.described_classes import DescribedClasses, Frame, Semantics
from rezsl.estimators.training_samples import TrainingSamples
from rezsl.models import SemanticModel
from rezsl.regions import FeatureScaler
from rezsl.semantics import ClassSemantics
from rezsl.training import Stage, Training, own_randomness, train_stage

ROWS = 4096

Candidates = ClassSemantics | Mapping[Any, Any] | Frame | Shaped[np.ndarray, "K"] | list[Any] | tuple[Any, ...]


class ZeroShotEstimator(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc] # scikit-learn is untyped
    """A scikit-learn classifier that also recognises classes that it was not trained on, from their semantics.

    Attributes:
        classes_: the labels that ``predict`` chooses among by default, ``[C]``, ascending: all that have semantics.
        seen_classes_: those that occurred in training, ascending.
        class_semantics_: the semantics of ``classes_``, row for row.
        n_features_in_: D.
        classifier_: the trained :class:`~rezsl.ZeroShotClassifier`; its class names are the labels as text.
    """

    scale: float
    gamma: float
    random_state: int | np.random.RandomState | None

    @abstractmethod
    def _network(self, feature_dim: int, semantics: ClassSemantics) -> SemanticModel:
        """A fresh network for features ``[N, feature_dim]``."""

    @abstractmethod
    def _training(self, seed: int) -> Training:
        """How it is trained."""

    def fit(self, X: Any, y: Any, class_semantics: Semantics | None = None) -> "ZeroShotEstimator":
        """Train on features and labels.

        Args:
            X: features, ``[N, D]``.
            y: labels, ``[N]``.
            class_semantics: what describes the classes in ``y``, and any others that ``predict`` may choose: a table,
                whose class names are the labels; a mapping from label to row; a data frame with the labels as its
                index; or an array ``[C, S]`` whose row c describes the label c. None makes each class its own semantic:
                an ordinary classifier.

        Raises:
            DataError: a label has no semantics, or the semantics are not in order.
            ArgumentError: a parameter of the estimator is out of its range.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        seen = np.unique(y)
        described = DescribedClasses.one_hot(seen) if class_semantics is None else DescribedClasses.of(class_semantics)
        described = described.in_order()
        features = _tensor(X)
        samples = TrainingSamples(features, torch.tensor(described.rows(y, "y")), described.semantics)
        seed = self._seed()
        with own_randomness():
            torch.manual_seed(seed)
            self.classifier_ = ZeroShotClassifier(
                FeatureScaler.from_features(features),
                self._network(X.shape[1], described.semantics),
                described.semantics,
                described.only(seen, "y").semantics.classes,
                scale=self.scale,
            )
            training = self._training(seed)
            stage = Stage("fit", self.classifier_, training.max_epochs)
            train_stage(stage, samples, samples.split.trainval, training)
        # In double precision the order of rows does not show in their scores, as scikit-learn promises to within 1e-7.
        self.classifier_.eval().requires_grad_(False).double()
        self._described = described
        self.classes_, self.seen_classes_, self.class_semantics_ = described.labels, seen, described.semantics
        return self

    def predict_semantics(self, X: Any) -> Float[np.ndarray, "N S"]:
        """Predicted semantics, ``[N, D] -> [N, S]``."""
        return self._predictions(X).numpy()

    def class_scores(self, X: Any, classes: Candidates | None = None) -> Float[np.ndarray, "N K"]:
        """The score of every candidate class, less ``gamma`` for those in training.

        Args:
            X: features, ``[N, D]``.
            classes: as for :meth:`predict`; the columns follow it.
        """
        return self._scores(X, self._candidates(classes))

    def decision_function(
        self, X: Any, classes: Candidates | None = None
    ) -> Float[np.ndarray, "N K"] | Float[np.ndarray, "N"]:
        """:meth:`class_scores`; of two classes the second's less the first's, ``[N]``, as scikit-learn has it."""
        scores = self.class_scores(X, classes)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: Any, classes: Candidates | None = None) -> Shaped[np.ndarray, "N"]:
        """The label of the candidate with the highest score.

        Args:
            X: features, ``[N, D]``.
            classes: the candidates: labels in ``classes_``; or new classes, as a table whose attributes are those of
                training, as a data frame of such columns, or as a mapping from label to row. None means all of
                ``classes_``.

        Raises:
            DataError: a label has no semantics, or new classes are described by other attributes.
        """
        candidates = self._candidates(classes)
        predicted: np.ndarray = candidates.labels[self._scores(X, candidates).argmax(axis=1)]
        return predicted

    def score(self, X: Any, y: Any, sample_weight: Any = None, classes: Candidates | None = None) -> float:
        """Accuracy in ``[0, 1]``, averaged over the classes in ``y``.

        Args:
            X: features, ``[N, D]``.
            y: right labels, ``[N]``.
            sample_weight: how much each sample counts within its class, ``[N]``; None counts all alike.
            classes: as for :meth:`predict`.
        """
        return class_averaged_accuracy(y, self.predict(X, classes), sample_weight)

    def _seed(self) -> int:
        generator = check_random_state(self.random_state)
        # A number is the seed itself, so that it means what it means to rezsl.fit.
        return int(self.random_state if isinstance(self.random_state, Integral) else generator.randint(2**31 - 1))

    def _predictions(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return self.classifier_.predict_semantics(_tensor(X), ROWS)

    def _scores(self, X: Any, candidates: DescribedClasses) -> Float[np.ndarray, "N K"]:
        predictions = self._predictions(X)
        # Read here, so that another γ needs no new training.
        self.classifier_.gamma = self.gamma
        scores = self.classifier_.scores(predictions.to(self.classifier_.device), candidates.semantics)
        return scores.cpu().numpy()

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
                f"{labels.shape}"
            )
        return self._described.only(labels, "classes")


def _tensor(X: np.ndarray) -> torch.Tensor:
    # PyTorch warns of arrays that it could not write to, although nothing writes to this one.
    return torch.from_numpy(X if X.flags.writeable else X.copy())
