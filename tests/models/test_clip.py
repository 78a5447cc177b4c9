"""CLIP and SigLIP as small random models: their scores, files, new classes, and what is said of them."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

import rezsl
from rezsl.data import Benchmark, Split
from rezsl.errors import ArgumentError
from rezsl.models import CLIPZeroShot
from rezsl.regions import ImageBackbone, pretrained
from rezsl.regions.pretrained import quiet
from rezsl.report._findings import warnings
from rezsl.semantics import ClassSemantics
from tests.oracles.comparators import clip_scores

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *["a", "photo", "of", "which", "has", ".", ",", "red", "blue", "grey", "fox", "bird", "wings", "fur", "tail"],
]
LAYERS: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
TEXT: dict[str, Any] = {
    **LAYERS, "hidden_size": 8, "vocab_size": len(WORDS), "max_position_embeddings": 20, "bos_token_id": 2,
    "eos_token_id": 3, "pad_token_id": 0,
}  # fmt: skip
VISION: dict[str, Any] = {**LAYERS, "hidden_size": 8, "image_size": 16, "patch_size": 8}
NAMES = ("001.red_fox", "blue+bird", "grey fox", "grey bird", "red bird", "blue fox")
TABLE = ClassSemantics(
    NAMES,
    ("has_wings", "fur", "tail"),
    torch.tensor([[0.0, 1, 0.9], [1, 0, 0.6], [0, 0.9, 1], [0.9, 0.1, 0.5], [1, 0, 0.4], [0.1, 0.8, 0.8]]),
)


@pytest.fixture(params=["clip", "siglip"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "joint"
    if request.param == "clip":
        vision = {**VISION, "projection_dim": 99}  # the joint space has the whole model's dimensions
        model: Any = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=vision, projection_dim=6))
    else:
        model = SiglipModel(SiglipConfig(text_config={**TEXT, "projection_size": 8}, vision_config=VISION))
    with quiet():
        model.save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(path / "vocab.txt"), model_max_length=20).save_pretrained(path)
    return path


@pytest.fixture
def photos() -> Benchmark:
    images = torch.randint(256, (36, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(36) % 6
    index = torch.arange(36)
    held_out = index >= 24
    split = Split(index[(labels < 4) & ~held_out], index[(labels < 4) & held_out], index[labels >= 4])
    return Benchmark("photos", images, labels, TABLE, split)


def fit(photos: Benchmark, source: Path, run: Path | None = None, pooling: Any = "joint", **options: Any) -> Any:
    backbone = partial(pretrained, source=str(source), pooling=pooling)
    model = partial(CLIPZeroShot, source=str(source), **options)
    training = rezsl.Training(loss=None, accelerator="cpu", folds=1)
    cache = source.parent / "cache"
    return rezsl.fit(photos, model, backbone, training=training, cache=cache, run_dir=run, progress=False)


@torch.no_grad()
def embeddings(source: Path, images: torch.Tensor, texts: list[list[str]]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Embeddings by transformers' own functions for them."""
    kind: Any = CLIPModel if json.loads((source / "config.json").read_text())["model_type"] == "clip" else SiglipModel
    model, tokenizer = kind.from_pretrained(source).eval(), BertTokenizer.from_pretrained(source)
    colours = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    full = kind is SiglipModel

    def features(found: Any) -> np.ndarray:
        result: np.ndarray = (found if isinstance(found, torch.Tensor) else found.pooler_output).double().numpy()
        return result

    pixels = features(model.get_image_features(pixel_values=(images / 255 - colours[0]) / colours[1]))
    of_texts = []
    for group in texts:
        tokens = [
            tokenizer(text, padding="max_length" if full else False, max_length=20, return_tensors="pt").input_ids
            for text in group
        ]
        of_texts.append(np.concatenate([features(model.get_text_features(input_ids=ids)) for ids in tokens]))
    return pixels, of_texts


def test_scores_are_cosines_with_the_mean_text(photos: Benchmark, source: Path) -> None:
    names = ["red fox", "blue bird", "grey fox", "grey bird", "red bird", "blue fox"]
    # The two attributes in which a class exceeds the mean of the table by most; a bird exceeds it in wings alone.
    own = [["fur", "tail"], ["wings"], ["tail", "fur"], ["wings"], ["wings"], ["fur", "tail"]]
    for count in (0, 2):
        texts = [
            [f"a photo of a {name}.", *(f"a photo of a {name}, which has {word}." for word in words[:count])]
            for name, words in zip(names, own, strict=True)
        ]
        model = fit(photos, source, attribute_prompts=count).model
        assert model.network.prompts(TABLE) == [tuple(group) for group in texts]
        pixels, of_texts = embeddings(source, torch.as_tensor(photos.inputs[:5]), texts)
        seen = torch.tensor([1.0, 1, 1, 1, 0, 0])
        scores = model.scores(model.examine(photos.inputs[:5])[0]) + model.gamma * seen
        # The cache keeps embeddings in half precision.
        np.testing.assert_allclose(scores.numpy(), 20 * clip_scores(pixels, of_texts), atol=0.03)


def test_a_saved_model_needs_its_source_for_new_classes_alone(photos: Benchmark, source: Path, tmp_path: Path) -> None:
    result = fit(photos, source, tmp_path / "run", attribute_prompts=1)
    loaded = rezsl.load_model(tmp_path / "run")
    new = ClassSemantics(("red fox", "grey tail"), TABLE.attributes, TABLE.values[[0, 2]])
    outputs, _ = loaded.examine(photos.inputs[:4])
    scores = loaded.scores(outputs, new)
    torch.testing.assert_close(scores[:, 0], loaded.scores(outputs)[:, 0] + loaded.gamma)  # the same texts
    assert not torch.allclose(scores[:, 1], loaded.scores(outputs)[:, 2], atol=1e-3)
    shutil.rmtree(source)
    again = rezsl.load_model(tmp_path / "run")
    torch.testing.assert_close(again.scores(outputs), loaded.scores(outputs))
    assert rezsl.evaluate(again, photos).t1 == result.test.t1
    with pytest.raises(ArgumentError, match="source: expected"):
        again.scores(outputs, new)


def test_what_its_training_may_have_shown_is_said_in_every_record(
    photos: Benchmark, source: Path, tmp_path: Path
) -> None:
    result = fit(photos, source, tmp_path / "run")
    assert result.test.notes[0].startswith(f"{CLIPZeroShot.caution}; ")
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "not unseen to it" in record["test"]["caution"]
    found = rezsl.evaluation.analyse_evaluation(result.test)
    assert any("not unseen to it" in warning for warning in warnings(found))


@pytest.mark.parametrize("source", ["clip"], indirect=True)
def test_images_of_another_space_are_refused(photos: Benchmark, source: Path) -> None:
    with pytest.raises(
        ArgumentError, match=r"model: expected images in the joint space of .*, which has 6 dimensions, "
    ):
        fit(photos, source, pooling="auto")
    with pytest.raises(ArgumentError, match="pooling: expected joint only with the image network of CLIP or SigLIP"):
        ImageBackbone({"model_type": "vit", **VISION}, 16, pooling="joint")


@pytest.mark.parametrize("source", ["clip", "siglip"], indirect=True)
def test_embeddings_are_saved_with_the_backbone(source: Path) -> None:
    backbone = pretrained(3, 16, str(source), pooling="joint").eval()
    images = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    found = backbone(images)
    assert found.shape == (2, 1, backbone.region_dim)
    torch.testing.assert_close(found.norm(dim=2), torch.ones(2, 1))
    copy = ImageBackbone(**json.loads(json.dumps(backbone.arguments))).eval()
    copy.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(copy(images), found, rtol=0, atol=0)


@pytest.mark.parametrize(
    "options", [{"template": "a photo"}, {"attribute_template": "a {}"}, {"attribute_prompts": -1}]
)
def test_an_option_out_of_range_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"{next(iter(options))}: expected"):
        CLIPZeroShot(6, TABLE, **options)
