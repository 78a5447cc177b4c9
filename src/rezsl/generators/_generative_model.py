"""The base class of models that make features of classes without images, and end with a softmax regression on them."""

import math
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer

from rezsl.errors import check_at_least, check_positive
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, Labels, Outputs, Pooled, Scores
from rezsl.functional.softmax_regression import softmax_regression
from rezsl.generators._steps import Samples, root_mean_square, shuffled_batches
from rezsl.models import SemanticModel, pool
from rezsl.semantics import ClassSemantics

MOST_HEADS = 4
"""The most sets of classes whose regressions a model keeps, the latest ones."""

NEARLY_EQUAL = 1e-5
"""The largest difference between two rows of length 1 that count as the same class."""

LEAST_RATE = 0.02
"""The learning rate at the end of the training as a share of the highest one."""


Draw = Callable[[], Samples]
"""Draws a batch of training samples."""


class Head(nn.Module):
    """The softmax regression over one set of C classes, by their semantics ``[C, S]``."""

    semantics: Float[Tensor, "C S"]
    weight: Float[Tensor, "C E"]
    bias: Float[Tensor, "C"]

    def __init__(self, semantics: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        for name, part in (("semantics", semantics), ("weight", weight), ("bias", bias)):
            self.register_buffer(name, part)


class GenerativeModel(SemanticModel):
    """Learns to make features of a class from its semantics, and scores classes by a softmax regression.

    The regression is trained on real features of seen classes and on made features of all other classes that are to be
    scored. These are the classes that :meth:`class_scores` is asked for, and no others: on validation classes the
    selection makes features of validation classes alone, and the test those of the unseen classes. So a class that is
    added to the table later gets features, and a regression with them, when it is first asked for. All classes have the
    same weight in a regression. Made features depend on the class's semantics and on the seed alone.

    The model keeps some real features of every seen class for these regressions, and a saved model contains them.

    Args:
        region_dim: D, channels of a region or of a feature vector. Regions are averaged to one.
        semantics: the table whose S attributes describe the classes.
        steps: updates of the generator per epoch, at least 1.
        batch_size: samples per update, at least 2.
        learning_rate: of Adam at the beginning; it falls along a cosine over the epochs of the training.
        made: features that are made of each class without images, and the most real ones kept of the others.
        penalty: of the weights in the final regression, see
            :func:`rezsl.functional.softmax_regression.softmax_regression`.

    Attributes:
        of_any_size: names of the buffers whose size training decides.
    """

    not_exported: ClassVar[str] = "it fits a regression anew to every table of classes"
    of_any_size: ClassVar[tuple[str, ...]] = ("kept", "kept_labels", "seen_semantics")

    kept: Tensor
    kept_labels: Int[Tensor, "M"]
    seen_semantics: Float[Tensor, "K S"]
    feature_scale: Float[Tensor, ""]
    semantic_scale: Float[Tensor, ""]
    noise_seed: Int[Tensor, ""]

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        steps: int,
        batch_size: int,
        learning_rate: float,
        made: int,
        penalty: float,
    ) -> None:
        super().__init__()
        check_at_least(1, steps=steps, made=made)
        check_at_least(2, batch_size=batch_size)
        check_positive(learning_rate=learning_rate, penalty=penalty)
        self.region_dim, self.attribute_count = region_dim, len(semantics.attributes)
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.made, self.penalty = made, penalty
        self.register_buffer("kept", torch.zeros(0, region_dim))
        self.register_buffer("kept_labels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("seen_semantics", torch.zeros(0, self.attribute_count))
        self.register_buffer("feature_scale", torch.ones(()))
        self.register_buffer("semantic_scale", torch.ones(()))
        self.register_buffer("noise_seed", torch.randint(2**31, ()))
        self.heads = nn.ModuleList()

    @abstractmethod
    def optimizers(self) -> list[Optimizer]:
        """Return new optimizers, which :meth:`update` receives."""

    @abstractmethod
    def update(self, draw: Draw, optimizers: list[Optimizer], progress: float) -> Mapping[str, Tensor]:
        """Train the generator by one step.

        Args:
            draw: draws batches.
            optimizers: those of :meth:`optimizers`.
            progress: share of the whole training that is done, in [0, 1).

        Returns:
            Losses by name; ``total`` is one of them.
        """

    @abstractmethod
    def represent(self, features: Float[Tensor, "B D"]) -> Outputs:
        """Return the inputs of the final regression for scaled features, ``[B, D] -> [B, E]``."""

    @abstractmethod
    def make(self, conditions: Float[Tensor, "B S"], noise: torch.Generator) -> Outputs:
        """Make inputs of the final regression, one for each row of scaled class semantics, ``[B, S] -> [B, E]``."""

    def keep(self, features: Float[Tensor, "B D"], noise: torch.Generator) -> Float[Tensor, "B F"]:
        """Return what the model keeps of scaled real features for later regressions; by default the features."""
        return features

    def recall(self, kept: Float[Tensor, "B F"]) -> Outputs:
        """Return the inputs of the final regression for what :meth:`keep` returned, ``[B, F] -> [B, E]``."""
        return self.represent(kept)

    def begin(self, samples: Samples, class_semantics: ClassMatrix) -> None:
        """Prepare the training on all samples, of the K classes ``[K, S]``; by default nothing happens."""

    def train_epochs(
        self, features: Float[Tensor, "N D"], labels: Labels, class_semantics: ClassMatrix, max_epochs: int
    ) -> Iterator[dict[str, float]]:
        """Train the generator anew, see :meth:`rezsl.models.HasOwnTraining.train_epochs`."""
        self.seen_semantics = class_semantics.clone()
        self.feature_scale = root_mean_square(features)
        self.semantic_scale = root_mean_square(l2_normalize(class_semantics))
        features, conditions = self.scaled(features), self.conditions(class_semantics)
        self.begin(Samples(features, conditions[labels], labels), class_semantics)
        order = iter(shuffled_batches(len(features), self.batch_size))

        def draw() -> Samples:
            rows = next(order).to(labels.device)
            return Samples(features[rows], conditions[labels[rows]], labels[rows])

        optimizers, total = self.optimizers(), self.steps * max_epochs
        for epoch in range(max_epochs):
            self.train()
            sums: dict[str, Tensor] = {}
            for step in range(epoch * self.steps, (epoch + 1) * self.steps):
                for group in (group for optimizer in optimizers for group in optimizer.param_groups):
                    falling = (1 + math.cos(math.pi * step / total)) / 2
                    highest = group.setdefault("initial_lr", group["lr"])
                    group["lr"] = highest * (LEAST_RATE + (1 - LEAST_RATE) * falling)
                losses = self.update(draw, optimizers, step / total)
                sums = {name: sums.get(name, 0) + loss.detach() for name, loss in losses.items()}
            self.eval()
            self._keep_some(features, labels)
            yield {name: float(loss) / self.steps for name, loss in sums.items()}

    @torch.no_grad()
    def _keep_some(self, features: Float[Tensor, "N D"], labels: Labels) -> None:
        """Keep what later regressions need of at most ``made`` samples of each class."""
        noise = torch.Generator().manual_seed(int(self.noise_seed))
        shuffled = torch.randperm(len(labels), generator=noise).to(labels.device)
        rows = torch.cat([shuffled[labels[shuffled] == label][: self.made] for label in labels.unique()])
        self.kept = self.keep(features[rows], noise).half()
        self.kept_labels = labels[rows]
        self.heads = nn.ModuleList()

    def scaled(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Return features in units of their root mean square over all dimensions and training samples."""
        return features / self.feature_scale

    def conditions(self, class_semantics: ClassMatrix) -> ClassMatrix:
        """Return class semantics as generators take them: rows of one length, whose root mean square is about 1."""
        return l2_normalize(class_semantics.to(self.semantic_scale)) / self.semantic_scale

    def forward(self, regions: Pooled) -> Outputs:
        """Compute the inputs of the final regression, ``[B, …, D] -> [B, E]``."""
        return self.represent(self.scaled(pool(regions)))

    def class_scores(self, predictions: Outputs, class_semantics: ClassMatrix, scale: float) -> Scores:
        """Return the logits of the final regression over these classes, ``[B, E], [C, S] -> [B, C]``.

        ``scale`` is not used, because logits have their own scale. Classes with equal semantics have equal scores.
        """
        rows, position = class_semantics.unique(dim=0, return_inverse=True)
        head = self._head_of(rows)
        scores = predictions @ head.weight.to(predictions).T + head.bias.to(predictions)
        return scores[:, position]

    def _head_of(self, rows: ClassMatrix) -> Head:
        """Return the regression over classes with different semantics, which is fitted where it is not known yet."""
        for head in self.heads:
            assert isinstance(head, Head)
            if head.semantics.shape == rows.shape and bool((head.semantics == rows).all()):
                return head
        # Tensors that are made in inference mode could not be used in training later.
        with torch.inference_mode(mode=False), torch.no_grad():
            head = self._fit_head(rows.clone())
        self.heads = nn.ModuleList([*self.heads, head][-MOST_HEADS:])
        return head

    def _fit_head(self, rows: ClassMatrix) -> Head:
        # A table that was written to a file and read again differs by rounding.
        seen, asked = l2_normalize(self.seen_semantics.to(rows)), l2_normalize(rows)
        same = (asked[:, None] - seen).abs().amax(dim=2) < NEARLY_EQUAL  # [C, K]
        inputs, labels = list[Tensor](), list[Tensor]()
        row_of_seen = torch.where(same.any(dim=0), same.float().argmax(dim=0), -1)
        of_kept = row_of_seen[self.kept_labels]
        if bool((of_kept >= 0).any()):
            inputs.append(self.recall(self.kept[of_kept >= 0].to(self.feature_scale)))
            labels.append(of_kept[of_kept >= 0])
        for row in (~same.any(dim=1)).nonzero().squeeze(1).tolist():
            inputs.append(self.features_of(rows[row], self.made))
            labels.append(torch.full((self.made,), row, device=rows.device))
        weight, bias = softmax_regression(torch.cat(inputs), torch.cat(labels), len(rows), self.penalty)
        return Head(rows, weight, bias)

    @torch.no_grad()
    def features_of(self, class_semantics: Float[Tensor, "S"], count: int) -> Outputs:
        """Make inputs of the final regression for one class, ``[S] -> [count, E]``; equal semantics give equal ones."""
        content = class_semantics.detach().cpu().float().contiguous().numpy().tobytes()
        noise = torch.Generator().manual_seed(int(self.noise_seed) ^ zlib.crc32(content))
        return self.make(self.conditions(class_semantics.unsqueeze(0)).expand(count, -1), noise)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *others: Any) -> None:
        """Take over kept features and regressions of any number."""
        for name in self.of_any_size:
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name]))
        parts = [name.removeprefix(f"{prefix}heads.") for name in state if name.startswith(f"{prefix}heads.")]
        numbers = sorted({int(part.partition(".")[0]) for part in parts})
        names = ("semantics", "weight", "bias")
        self.heads = nn.ModuleList(
            Head(*(torch.empty_like(state[f"{prefix}heads.{number}.{name}"]) for name in names)) for number in numbers
        )
        super()._load_from_state_dict(state, prefix, *others)
