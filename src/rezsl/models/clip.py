"""CLIP and SigLIP: images are compared with texts about the classes, and nothing is trained."""

import re
from collections.abc import Iterable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from rezsl.errors import ArgumentError, check_at_least
from rezsl.functional import l2_normalize
from rezsl.functional.shapes import ClassMatrix, ClassVectors, Labels, Outputs, Pooled
from rezsl.models._semantic_model import SemanticModel, pool
from rezsl.semantics import ClassSemantics, encode_texts, text_of

NUMBER = re.compile(r"^\d+[._](?=\D)")
"""What precedes names such as ``001.Black_footed_Albatross``."""


class CLIPZeroShot(SemanticModel, name="clip"):
    """s_c = scale · cos(x, t_c): the embedding of an image, and the mean embedding of texts about a class.

    Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021; SigLIP is Zhai et
    al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023. The texts of a class are the ``template`` with its
    name and, as in Menon and Vondrick, Visual Classification via Description from Large Language Models, ICLR 2023, the
    ``attribute_template`` with its name and each of its ``attribute_prompts`` most characteristic attributes: those in
    which it exceeds the mean over the classes of the table by most standard deviations. t_c is the mean of the
    embeddings, each of length 1.

    Images must come from the same model by the backbone ``pretrained`` with ``pooling`` ``joint``. Nothing is trained;
    training and validation images serve γ and the calibration alone.

    Args:
        source: directory of a model with its tokenizer, or the id of a model that is in the local cache of the hub.
        template: text about a class, with {} for its name.
        attribute_prompts: number of texts with attributes for each class, 0 or more.
        attribute_template: text about a class and an attribute, with {} for the name of each in this order.

    Raises:
        ArgumentError: a template has another number of places for names.
    """

    predicts_attributes: ClassVar[bool] = False
    scaled_features = False
    not_exported: ClassVar[str] = "it reads the names of classes with a text encoder, which the file would lack"
    caution: ClassVar[str] = (
        "the images and texts from which CLIP or SigLIP learnt may show and name the unseen classes, so that these are "
        "not unseen to it"
    )
    texts: Float[Tensor, "C D"]

    def __init__(
        self,
        region_dim: int,
        semantics: ClassSemantics,
        source: str = "openai/clip-vit-base-patch32",
        template: str = "a photo of a {}.",
        attribute_prompts: int = 0,
        attribute_template: str = "a photo of a {}, which has {}.",
    ) -> None:
        super().__init__()
        check_at_least(0, attribute_prompts=attribute_prompts)
        for name, text, count in (("template", template, 1), ("attribute_template", attribute_template, 2)):
            if text.count("{}") != count:
                raise ArgumentError(f"{name}: expected a text with {count} times {{}}, got {text!r}")
        self.source, self.attribute_prompts = source, attribute_prompts
        self.template, self.attribute_template = template, attribute_template
        self._table = semantics
        self._rows = {prompts: row for row, prompts in enumerate(self.prompts(semantics))}
        self._others: dict[tuple[str, ...], Tensor] = {}
        # The embeddings of the table's classes are saved, so that a saved model needs its source for new ones alone.
        self.register_buffer("texts", torch.zeros(len(semantics.classes), region_dim))

    def prompts(self, classes: ClassSemantics) -> list[tuple[str, ...]]:
        """Return the texts about each class, whose name is written in words and without a number before it."""
        values = self._table.values
        spread = values.std(dim=0, correction=0)
        above = (classes.values - values.mean(dim=0)) / torch.where(spread > 0, spread, 1.0)
        found = []
        names = [text_of(NUMBER.sub("", name)) for name in classes.classes]
        for name, row in zip(names, above, strict=True):
            texts = [self.template.format(name)]
            for column in row.argsort(descending=True, stable=True)[: self.attribute_prompts].tolist():
                attribute = text_of(classes.attributes[column])
                texts += [self.attribute_template.format(name, attribute)] if row[column] > 0 else []
            found.append(tuple(texts))
        return found

    @torch.no_grad()
    def solve(self, batches: Iterable[tuple[Pooled, Labels]], class_semantics: ClassMatrix) -> None:
        """Encode the texts about all classes of the table; an ArgumentError names images of another model."""
        self.texts.copy_(self._encode(self.prompts(self._table)))

    def forward(self, regions: Pooled) -> Outputs:
        """Return the embedding of the image itself, ``[B, 1, D] -> [B, D]``."""
        return pool(regions)

    @torch.no_grad()
    def class_vectors(self, classes: ClassSemantics) -> ClassVectors:
        """Return the mean embedding of the texts about each class, ``[C, D]``; those of new classes are encoded now."""
        prompts = self.prompts(classes)
        new = [texts for texts in dict.fromkeys(prompts) if texts not in self._rows and texts not in self._others]
        if new:
            self._others |= dict(zip(new, self._encode(new), strict=True))
        rows = [self.texts[self._rows[texts]] if texts in self._rows else self._others[texts] for texts in prompts]
        return torch.stack([row.to(self.texts) for row in rows])

    def _encode(self, prompts: list[tuple[str, ...]]) -> Float[Tensor, "C D"]:
        embeddings = l2_normalize(encode_texts(self.source, [text for texts in prompts for text in texts]))
        if embeddings.shape[1] != self.texts.shape[1]:
            raise ArgumentError(
                f"model: expected images in the joint space of {self.source}, which has {embeddings.shape[1]} "
                f"dimensions, got {self.texts.shape[1]} numbers; set --backbone pretrained --backbone.source "
                f"{self.source} --backbone.pooling joint"
            )
        return torch.stack([part.mean(dim=0) for part in embeddings.split([len(texts) for texts in prompts])])
