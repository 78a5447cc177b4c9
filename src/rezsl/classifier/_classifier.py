"""The trained model, which predicts class names from images or features."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from rezsl.classifier._answers import Answer, Ranked, answers_in_order
from rezsl.classifier._comparison import Comparison
from rezsl.classifier._familiarity import Familiarity
from rezsl.data import Benchmark, Crop, FeatureFormat, ImageFormat, Pictures, as_inputs, file_of, readable_batches
from rezsl.errors import ArgumentError, DataError, check_at_least, check_choice, check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassVectors, Outputs, Predictions, Protocol, Regions, Scores
from rezsl.models import SemanticModel, TrainingOutput
from rezsl.regions import Backbone, ImageBackbone
from rezsl.semantics import ClassSemantics

SLICE = 1 << 23
"""Scores that are ranked at a time, which take 32 MiB."""

Inputs = str | Path | Crop | Tensor | NDArray[Any] | Sequence[Any] | Pictures
"""What :func:`rezsl.data.as_inputs` takes, images of Pillow apart."""


class ZeroShotClassifier(nn.Module):
    """Backbone, model and class semantics, which recognise any class that the semantics describe.

    Args:
        backbone: computes regions from inputs.
        network: predicts attributes from regions, or scores classes in another way.
        semantics: the classes of the training table; predictions can use other classes. Word vectors, groups and places
            are replaced by those that the network was made with, so that a saved model gives the same network.
        seen_classes: names of the classes with training images.
        gamma: γ of calibrated stacking, which is subtracted from the scores of seen classes, because training favours
            them.
        scale: scale of the cosine scores, positive.
        protocol: ``oracle`` if epoch and γ were chosen on test classes, as published results did. The model keeps this
            mark, so that no table shows its metrics as honest ones.
        centered: score by cosines around the mean of the seen classes, see :meth:`compared`.
        varied_only: leave the attributes in which all seen classes are equal out of the scores.
        temperature: positive number by which scores are divided before their softmax gives probabilities.
        familiarity: recognises inputs of another kind than the training images; None accepts every input.

    Attributes:
        seen: the table of the seen classes.
        directory: where it was saved last, or loaded from; None where it was not.

    Raises:
        ArgumentError: an option is out of range, the network was made with other attributes, or its scores are no
            cosines, which alone can be centered and leave attributes out.
        DataError: a seen class is not in the table.
    """

    seen_values: Float[Tensor, "K S"]

    def __init__(
        self,
        backbone: Backbone,
        network: SemanticModel,
        semantics: ClassSemantics,
        seen_classes: Sequence[str],
        gamma: float = 0.0,
        scale: float = 20.0,
        protocol: Protocol = "honest",
        centered: bool = False,
        varied_only: bool = False,
        temperature: float = 1.0,
        familiarity: Familiarity | None = None,
    ) -> None:
        super().__init__()
        semantics = network.with_own_columns(semantics)
        self.seen = semantics.only(seen_classes)
        seen = self.seen.values
        check_positive(scale=scale, temperature=temperature)
        if not math.isfinite(gamma):
            raise ArgumentError(f"gamma: expected a finite number, got {gamma!r}")
        check_choice(Protocol, protocol=protocol)
        self.backbone, self.network = backbone, network
        self.semantics, self.seen_classes = semantics, self.seen.classes
        self.directory: Path | None = None
        self.gamma, self.scale, self.temperature = float(gamma), float(scale), float(temperature)
        self.protocol, self.familiarity = protocol, familiarity
        for name, chosen in (("centered", centered), ("varied_only", varied_only)):
            if chosen and not network.scores_are_cosines:
                raise ArgumentError(
                    f"{name}: expected false with {type(network).__name__}, whose scores are no cosines, got true; "
                    f"set it to false"
                )
        self.centered, self.varied_only = centered, varied_only
        self.comparison = Comparison(seen, centered, varied_only)
        self.register_buffer("seen_values", seen, persistent=False)  # it follows from the table, and is not saved

    def forward(self, inputs: Tensor) -> Outputs:
        """Return the network's outputs for a batch of inputs, ``[B, E]``: in most models the predicted attributes."""
        outputs: Tensor = self.network(self.backbone(inputs))
        return outputs

    def training_forward(self, inputs: Tensor, target: Predictions) -> TrainingOutput:
        """Return outputs of inputs with the true attributes ``target`` ``[B, S]``, and the penalty."""
        return self.network.training_forward(self.backbone(inputs), target)

    @property
    def input_format(self) -> FeatureFormat | ImageFormat:
        """The format in which the backbone reads inputs."""
        if isinstance(self.backbone, ImageBackbone):
            return self.backbone.input_format
        return FeatureFormat(self.backbone.region_dim)

    def check_values(self, benchmark: Benchmark) -> None:
        """Raise an ArgumentError where a benchmark of image files has another ``value_range`` than the model reads."""
        if isinstance(self.input_format, ImageFormat):
            self.input_format.check_range(benchmark.value_range)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.seen_values.device

    def predict_semantics(
        self,
        inputs: Inputs,
        batch_size: int | None = None,
        index: Int[Tensor, "N"] | None = None,
    ) -> Predictions:
        """Predict the attributes of many inputs, ``[N, S]`` on the CPU; the arguments are those of :meth:`examine`."""
        outputs = self.examine(inputs, batch_size, index)[0]
        with torch.no_grad():
            return self.attributes_of(outputs)

    def attributes_of(self, outputs: Outputs) -> Predictions:
        """Return the attributes that the network's outputs ``[B, E]`` predict, ``[B, S]``, on the outputs' device.

        Where the network predicts none, they are the expected attributes under the probabilities of the seen classes,
        Â_i = Σ_c softmax(scores_i)_c · A_c, as in indirect attribute prediction (Lampert et al., TPAMI 2014).
        """
        if self.network.predicts_attributes:
            return self.network.attributes_of(outputs.to(self.device)).to(outputs.device)
        scores = self.class_scores(outputs, self.network.class_vectors(self.seen))
        return scores.softmax(dim=1) @ self.seen_values.to(scores)

    @torch.inference_mode()
    def examine(
        self,
        inputs: Inputs,
        batch_size: int | None = None,
        index: Int[Tensor, "N"] | None = None,
        candidates: ClassSemantics | None = None,
        unreadable: dict[int, str] | None = None,
    ) -> tuple[Float[Tensor, "M E"], Float[Tensor, "M"]]:
        """Compute outputs and the strangeness of many inputs, in evaluation mode; the mode is restored.

        Args:
            inputs: features, images or files, as for :meth:`classify`.
            batch_size: number of inputs per forward pass; None takes fewer of large images, ``input_format.batch``.
            index: positions of the inputs, in this order; None takes all.
            candidates: as for :meth:`scores`; an input that fits one of them is less strange.
            unreadable: as for :meth:`describe`.

        Returns:
            The network's outputs ``[M, E]``, in most models the predicted attributes, and the strangeness of each input
            as in :class:`Answer`, ``[M]``; both are on the CPU. M is the number of inputs that are read.
        """
        inputs = as_inputs(inputs)
        count = len(inputs) if index is None else len(index)
        outputs, strangeness, done = None, torch.full((count,), math.nan), 0
        directions = self._known_directions(candidates) if self.familiarity is not None else None
        for regions, features in self.describe(inputs, batch_size, index, unreadable):
            output = self.network(regions)
            if outputs is None:  # all of them at once, because joining parts would need twice the memory
                outputs = torch.empty(count, *output.shape[1:], dtype=output.dtype)
            part = slice(done, done := done + len(output))
            outputs[part] = output
            if self.familiarity is not None and directions is not None:
                strangeness[part] = self.familiarity(features, self.scores_along(output, directions).amax(dim=1))
        if outputs is None:  # no input has outputs of the same width
            outputs = self.network(torch.empty(0, 1, self.backbone.region_dim, device=self.device)).cpu()
        return (outputs, strangeness) if done == count else (outputs[:done].clone(), strangeness[:done].clone())

    def strangeness(
        self, features: Float[Tensor, "B F"], outputs: Outputs, candidates: ClassSemantics | None = None
    ) -> Float[Tensor, "B"]:
        """Return the strangeness of inputs as in :class:`Answer`, ``[B]``; NaN where the model has no limit.

        Args:
            features: of the inputs, as :meth:`describe` yields them.
            outputs: the network's outputs, ``[B, E]``.
            candidates: as for :meth:`scores`; an input that fits one of them is less strange.
        """
        if self.familiarity is None:
            return features.new_full((len(features),), math.nan)
        measured: Tensor = self.familiarity(features, self.highest_scores(outputs, candidates))
        return measured

    def highest_scores(self, predictions: Outputs, candidates: ClassSemantics | None = None) -> Float[Tensor, "B"]:
        """Return the highest score over the training table and the candidates, without subtracting γ, ``[B]``.

        Args:
            predictions: the network's outputs, ``[B, E]``.
            candidates: as for :meth:`scores`.
        """
        return self.scores_along(predictions, self._known_directions(candidates)).amax(dim=1)

    def _known_directions(self, candidates: ClassSemantics | None) -> ClassVectors:
        """Return :meth:`class_directions` of the training table and of those candidates that differ from it."""
        vectors = self.class_vectors(self.semantics)
        if candidates is not None:
            others = self.class_vectors(candidates)
            if not torch.equal(vectors, others):
                vectors = torch.cat([vectors, others])
        return self.class_directions(vectors)

    @torch.inference_mode()
    def describe(
        self,
        inputs: Inputs,
        batch_size: int | None = None,
        index: Int[Tensor, "N"] | None = None,
        unreadable: dict[int, str] | None = None,
    ) -> Iterator[tuple[Regions, Float[Tensor, "B F"]]]:
        """Yield :meth:`rezsl.regions.Backbone.describe` of batches of inputs, as for :meth:`examine`.

        Image files that cannot be read are left out and described in ``unreadable``, by their position in ``inputs``.
        Where it is None, they are an :class:`rezsl.data.UnreadableImagesError`, which names all of them: the other
        images are read to the end before it is raised, but not given to the network.
        """
        was_training = self.training
        self.eval()
        try:
            for batch in readable_batches(self.input_format, as_inputs(inputs), index, batch_size, unreadable):
                yield self.backbone.describe(batch.to(self.device))
        finally:
            self.train(was_training)

    def compared(self, predictions: Outputs, class_vectors: ClassVectors) -> tuple[Outputs, ClassVectors]:
        """Return outputs ``[B, E]`` and vectors of classes ``[C, V]`` as the scores compare them.

        See :class:`Comparison`, which says what ``centered`` and ``varied_only`` change.
        """
        return self.comparison.outputs(predictions), self.comparison.classes(class_vectors.to(predictions.dtype))

    def class_vectors(self, classes: ClassSemantics) -> ClassVectors:
        """Return the numbers by which the network recognises any described classes, ``[C, V]``."""
        return self.network.class_vectors(self.semantics.with_classes_of(classes)).to(self.device)

    def class_scores(self, predictions: Outputs, class_vectors: ClassVectors) -> Scores:
        """Return the scores of outputs ``[B, E]`` for :meth:`class_vectors`, from which γ is not subtracted.

        They are computed on the model's device and returned on that of the outputs.
        """
        return self.scores_along(predictions, self.class_directions(class_vectors.to(predictions.dtype)))

    def class_directions(self, class_vectors: ClassVectors) -> ClassVectors:
        """Return :meth:`class_vectors` as :meth:`scores_along` needs them, so that batches share what they can.

        Cosines need vectors of length 1, and to make them takes longer than the scores of a batch. For networks with
        scores of their own they are returned unchanged.
        """
        vectors = self.comparison.classes(class_vectors.to(self.device))
        return l2_normalize(vectors) if self._scores_by_cosine else vectors

    def scores_along(self, predictions: Outputs, class_directions: ClassVectors) -> Scores:
        """Return :meth:`class_scores` of outputs ``[B, E]`` for the results of :meth:`class_directions`."""
        outputs = self.comparison.outputs(predictions.to(self.device))
        directions = class_directions.to(self.device)
        if self._scores_by_cosine:
            scores = self.scale * l2_normalize(outputs) @ directions.to(outputs.dtype).T
        else:
            scores = self.network.class_scores(outputs, directions, self.scale)
        return scores.to(predictions.device)

    @property
    def _scores_by_cosine(self) -> bool:
        return type(self.network).class_scores is SemanticModel.class_scores

    def scores(self, predictions: Outputs, candidates: ClassSemantics | None = None) -> Scores:
        """Return calibrated scores of the candidate classes, ``[B, C]``: the network's scores, less γ for seen classes.

        Args:
            predictions: the network's outputs, ``[B, E]``, as :meth:`examine` returns them.
            candidates: any classes described by the same attributes, which are joined by name; None means the classes
                of the training table. Classes without training images need no new training.
        """
        directions, is_seen = self._described(candidates)
        return self._calibrated(predictions, directions, is_seen)

    def _described(self, candidates: ClassSemantics | None) -> tuple[ClassVectors, Bool[Tensor, "C"]]:
        """Return the directions of the candidate classes, and which of them are seen."""
        candidates, known = self.semantics if candidates is None else candidates, set(self.seen_classes)
        is_seen = torch.tensor([name in known for name in candidates.classes])
        return self.class_directions(self.class_vectors(candidates)), is_seen

    def _calibrated(self, predictions: Outputs, directions: ClassVectors, is_seen: Bool[Tensor, "C"]) -> Scores:
        return self.scores_along(predictions, directions) - self.gamma * is_seen.to(predictions.device)

    def push_to_hub(
        self,
        repo_id: str,
        license: str = "",
        private: bool = False,
        revision: str | None = None,
        commit_message: str = "Model of rezsl",
    ) -> str:
        """Publish the model as it was saved last, its records, and a page about them, on the hub; return the address.

        The page says what the model recognises, its metrics with their protocol and seed, the fingerprint of the data,
        and its limits. Absolute paths in the records are shortened to their last part. The account that publishes is
        the one of ``hf auth login``.

        Args:
            repo_id: the name of the repository, such as ``user/signs``; it is created if necessary.
            license: an identifier of the hub, such as ``mit``; empty leaves the field of the page out.
            private: whether a new repository is private.
            revision: the branch, which is created if necessary; None stands for main.
            commit_message: of the commit.

        Raises:
            ArgumentError: the model was not saved, or the hub refuses it.
        """
        from rezsl.classifier._hub import push  # noqa: PLC0415 - publishing is rare

        return push(self, repo_id, license, private, revision, commit_message)

    def unseen_among(self, candidates: ClassSemantics) -> ClassSemantics:
        """Return the candidate classes that the model was not trained on.

        Raises:
            DataError: it was trained on all of them.
        """
        known = set(self.seen_classes)
        names = [name for name in candidates.classes if name not in known]
        if not names:
            raise DataError(
                "classes: expected at least one without training images, got only classes that the model was trained "
                "on; give a table with new classes"
            )
        return candidates.only(names)

    def classify(
        self,
        inputs: Inputs,
        candidates: ClassSemantics | None = None,
        top: int = 1,
        skip_unreadable: bool = False,
    ) -> list[Answer]:
        """Return the classes with the highest scores for each input, the highest first.

        ``answer.far`` is whether the input is far from every description, as a photo of something else is.

        Args:
            inputs: features or images as in training: a path or several, boxes in images, images of Pillow, arrays or
                tensors, one or many, in the forms of :func:`rezsl.data.as_inputs`.
            candidates: as for :meth:`scores`.
            top: number of classes per input, at least 1; all classes if there are fewer.
            skip_unreadable: give an input that cannot be read, or has no finite scores, an answer without classes,
                whose ``problem`` says why, in place of the error for all inputs.

        Raises:
            UnreadableImagesError: an image file cannot be read, unless these are skipped; the message names all.
            DataError: the scores of an input are not finite, unless such inputs are skipped.
        """
        check_at_least(1, top=top)
        inputs = as_inputs(inputs)
        names = (self.semantics if candidates is None else candidates).classes
        problems: dict[int, str] = {}
        unreadable = problems if skip_unreadable else None
        predictions, strangeness = self.examine(inputs, candidates=candidates, unreadable=unreadable)
        described = self._described(candidates)
        # In slices, because the scores of all inputs for all classes may take more memory than everything else.
        ranked = [
            classes
            for part in predictions.split(max(1, SLICE // len(names)))
            for classes in self.rank(self._calibrated(part, *described), names, top)
        ]
        given = [f"input {place}" for place in range(len(inputs))]
        if not isinstance(inputs, Tensor | Pictures):
            given = [str(file_of(file)) for file in inputs]
        return answers_in_order(given, ranked, strangeness.tolist(), problems, skip_unreadable)

    def rank(self, scores: Scores, names: Sequence[str], top: int) -> list[list[Ranked]]:
        """Return the ``top`` best of the named classes for each row of scores, ``[B, C]``, the best first."""
        best, columns = scores.topk(min(top, len(names)), dim=1)
        shares = (scores / self.temperature).softmax(dim=1).gather(1, columns)
        seen = set(self.seen_classes)
        return [
            [Ranked(names[c], score, share, names[c] in seen) for c, score, share in zip(*row, strict=True)]
            for row in zip(columns.tolist(), best.tolist(), shares.tolist(), strict=True)
        ]
