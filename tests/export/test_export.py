"""The exported file gives the answers of the run, for any photos and any table, without rezsl and PyTorch."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import Familiarity, ZeroShotClassifier, load_model, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import ImageFormat, load_digits, read_images
from rezsl.errors import ArgumentError
from rezsl.export import export_model
from rezsl.export._fitting import Fitting
from rezsl.export._onnx import quantize_weights
from rezsl.functional.familiarity import Limit, fit_distribution
from rezsl.generators import CLSWGAN
from rezsl.models import CNZSL, DAP, LATEM, AttentionNet, LinearRegressor, MLPRegressor, SemanticModel
from rezsl.regions import FeatureScaler, pretrained, small_resnet
from rezsl.semantics import ClassSemantics
from tests.docs.pages import code_blocks

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "export.md"


class File:
    """An exported file as its users read it."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(path)
        self.facts = json.loads(self.session.get_modelmeta().custom_metadata_map["rezsl"])
        self.names = [output.name for output in self.session.get_outputs()]

    def __call__(self, inputs: torch.Tensor, table: Any = None, seen: Any = None) -> dict[str, torch.Tensor]:
        table = np.empty((0, len(self.facts["attributes"])), np.float32) if table is None else np.float32(table)
        seen = np.empty(0, bool) if seen is None else np.array(seen, bool)
        feeds = {self.facts["inputs"][0]: inputs.numpy(), "classes": table, "seen": seen}
        found = self.session.run(self.names, feeds)
        return {name: torch.from_numpy(values) for name, values in zip(self.names, found, strict=True)}


def expected(
    model: ZeroShotClassifier, inputs: torch.Tensor | list[Path], classes: ClassSemantics | None = None
) -> dict[str, torch.Tensor]:
    """Return what the model itself computes, in evaluation mode."""
    model = model.eval()
    outputs, strangeness = model.examine(inputs, candidates=classes)
    scores = model.scores(outputs, classes).detach()
    return {
        "probabilities": (scores / model.temperature).softmax(dim=1),
        "scores": scores,
        "strangeness": strangeness,
        "attributes": model.attributes_of(outputs).detach(),
    }


def agree(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float = 1e-5) -> None:
    for name, values in wanted.items():
        scale = 1 if name == "probabilities" else max(1.0, float(values.nan_to_num().abs().max()))
        torch.testing.assert_close(found[name], values, rtol=0, atol=scale * tolerance, equal_nan=True)


def rgb(images: torch.Tensor) -> torch.Tensor:
    """Return decoded images as the file reads them, from the form in which rezsl does."""
    return images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of digits with attention and a backbone from scratch, whose weights are random."""
    torch.manual_seed(0)
    digits = load_digits()
    assert isinstance(digits.inputs, torch.Tensor)
    backbone = small_resnet(channels=1, natural_size=8, width=4)
    network = AttentionNet(backbone.region_dim, digits.semantics, 8, output_init="uniform")
    features = backbone.eval().describe(digits.inputs[:100])[1]
    model = ZeroShotClassifier(
        backbone, network, digits.semantics, digits.seen_classes, 0.8, temperature=1.3,
        familiarity=Familiarity(fit_distribution(features), Limit(0.2, 0.1, 2.0)),
    )  # fmt: skip
    root = tmp_path_factory.mktemp("export") / "run"
    save_model(model, root)
    return root


@pytest.fixture(scope="module")
def file(run: Path) -> Path:
    """The run as a file of ONNX."""
    path = run.parent / "digits.onnx"
    assert main(["export", str(run), "--output", str(path)]) == 0
    return path


@pytest.mark.slow
def test_a_run_on_digits_answers_alike(run: Path, file: Path) -> None:
    model, images, reader = load_model(run), load_digits().inputs[:7], File(file)
    assert isinstance(images, torch.Tensor)
    found = reader(rgb(images))
    agree(found, expected(model, images))
    assert bool(found["strangeness"].isfinite().all())
    network, read = model.network, model.input_format.read(images, torch.arange(7))
    assert isinstance(network, AttentionNet)
    torch.testing.assert_close(found["attention"], network.attention(model.backbone(read)), rtol=0, atol=1e-5)
    assert reader.facts["grid"]["side"] ** 2 == found["attention"].shape[2]

    # One new class beside two old ones, in another order of attributes.
    own, changed = model.semantics, model.semantics.values[:3].clone()
    changed[2, 0] += 1
    table = ClassSemantics((own.classes[0], own.classes[1], "new"), own.attributes, changed)
    seen = [name in model.seen_classes for name in table.classes]
    agree(reader(rgb(images[:1]), changed, seen), expected(model, images[:1], table))
    assert reader(rgb(images[:1]), changed[:1], seen[:1])["probabilities"].tolist() == [[1.0]]

    # The file names no folder of the machine that wrote it.
    content = file.read_bytes()
    assert str(Path(torch.__file__).parent).encode() not in content
    assert b"rezsl/models" not in content


@pytest.mark.slow
def test_the_program_of_the_documentation_needs_neither_rezsl_nor_torch(run: Path, file: Path, tmp_path: Path) -> None:
    (script,) = [block.code for block in code_blocks(PAGE) if block.code.startswith("import json\n\nimport numpy")]
    assert len([line for line in script.splitlines() if line.strip()]) <= 22
    model = load_model(run)
    shutil.copy(file, tmp_path)
    images = load_digits().inputs
    assert isinstance(images, torch.Tensor)
    Image.fromarray(images[8, 0].numpy()).save(tmp_path / "photo.png")
    without = "import sys\nsys.modules['torch'] = sys.modules['rezsl'] = None\n"
    ended = subprocess.run(
        [sys.executable, "-c", without + script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (answer,) = model.classify(tmp_path / "photo.png", top=5)
    if answer.far:
        assert ended.stdout == "none of these\n"
    else:
        lines = [line.rsplit(maxsplit=1) for line in ended.stdout.splitlines()]
        assert lines == [[item.name, f"{item.probability:.0%}"] for item in answer]


def test_weights_of_8_bits_give_nearly_the_same_answers(run: Path, file: Path, tmp_path: Path) -> None:
    model, images = onnx.load(file), load_digits().inputs[:3]
    assert isinstance(images, torch.Tensor)
    quantize_weights(model)
    onnx.save(model, tmp_path / "small.onnx")
    assert (tmp_path / "small.onnx").stat().st_size < file.stat().st_size - 20_000
    found, wanted = (File(path)(rgb(images))["probabilities"] for path in (tmp_path / "small.onnx", file))
    assert 0 < float((found - wanted).abs().max()) < 0.1


@pytest.mark.slow
def test_the_format_of_pytorch(semantics: ClassSemantics, tmp_path: Path) -> None:
    model = ZeroShotClassifier(FeatureScaler(8), MLPRegressor(8, semantics, 5), semantics, ["a", "f"], gamma=0.3)
    exported, features, extra = (
        export_model(model, tmp_path / "run.pt2", "torch"),
        torch.randn(7, 8),
        {"rezsl.json": ""},
    )
    program = torch.export.load(io.BytesIO(exported.path.read_bytes()), extra_files=extra).module()
    facts = json.loads(extra["rezsl.json"])
    found = program(features, torch.tensor(facts["table"]), torch.tensor(facts["seen"]))
    agree(dict(zip(facts["outputs"], found, strict=True)), expected(model, features))


def kinds(semantics: ClassSemantics) -> list[SemanticModel]:
    return [
        DAP(8, semantics),
        CNZSL(8, semantics, 6),
        LATEM(8, semantics, 3),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_models_of_features_with_scores_of_their_own(semantics: ClassSemantics, tmp_path: Path, number: int) -> None:
    network, features = kinds(semantics)[number], torch.randn(40, 8)
    if isinstance(network, LATEM):
        network.kept[1] = False
    cosine = network.scores_are_cosines
    model = ZeroShotClassifier(
        FeatureScaler.from_features(features), network, semantics, ["b", "a"], 0.7, 25.0, centered=cosine,
        varied_only=cosine, temperature=1.7, familiarity=Familiarity(fit_distribution(features), Limit(1.1, 0.3, 2.0)),
    )  # fmt: skip
    exported = export_model(model, tmp_path / "model.onnx")
    assert exported.difference < 1e-5
    assert model.training  # its mode is restored
    agree(File(exported.path)(features[:5]), expected(model, features[:5]))


@pytest.mark.slow
def test_photos_through_a_real_backbone(real_data: Path, semantics: ClassSemantics, tmp_path: Path) -> None:
    source = real_data / "backbones" / "efficientnet-lite2"
    backbone = pretrained(3, 224, str(source), pooling="mean_max", framing="crop")
    network = MLPRegressor(backbone.region_dim, semantics, 32)
    model = ZeroShotClassifier(backbone, network, semantics, ["a", "b"], gamma=1.5).eval()
    photos = sorted((real_data / "cub-dev" / "images").rglob("*.jpg"))[::1500]
    form = model.input_format
    assert isinstance(form, ImageFormat)
    squares = read_images(photos, form.size, 3, form.resize, framing=form.framing)
    file = File(export_model(model, tmp_path / "birds.onnx").path)
    wanted = expected(model, photos)
    agree(file(rgb(squares)), wanted)
    # Whole photos are fitted by the file.
    for row, photo in enumerate(photos):
        with Image.open(photo) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB")))
        found = file(pixels[None])["probabilities"][0]
        torch.testing.assert_close(found, wanted["probabilities"][row], rtol=0, atol=2e-2)


@pytest.mark.parametrize("form", [ImageFormat(24, 3, 28), ImageFormat(24, 3, None, "whole"), ImageFormat(90, 1)])
@pytest.mark.parametrize("size", [(61, 40), (40, 61), (300, 200)])
def test_photos_are_fitted_as_pillow_does(tmp_path: Path, form: ImageFormat, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    wanted = read_images([tmp_path / "photo.png"], form.size, form.channels, form.resize, framing=form.framing)
    found = Fitting(form)(torch.from_numpy(pixels)[None])
    # Pillow may scale columns before rows, which rounds otherwise.
    assert float((found - wanted).abs().max()) <= 1
    unchanged = Fitting(form)(rgb(wanted))
    torch.testing.assert_close(unchanged, wanted.float(), rtol=0, atol=0)


def test_what_no_file_can_hold_is_refused_in_one_line(
    semantics: ClassSemantics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler = FeatureScaler(8)
    model = ZeroShotClassifier(scaler, CLSWGAN(8, semantics), semantics, ["a", "b"])
    with pytest.raises(ArgumentError, match=r"^model: .*, got CLSWGAN: it fits a regression anew .*; train another"):
        export_model(model, tmp_path / "model.onnx")
    other = ZeroShotClassifier(scaler, Deciding(8, semantics), semantics, ["a", "b"])
    with pytest.raises(ArgumentError, match=r"^model: .*, got Deciding after FeatureScaler, .*; use the run itself$"):
        export_model(other, tmp_path / "model.onnx")
    with pytest.raises(ArgumentError, match=r"^quantize: expected none with the format torch, got int8; choose"):
        export_model(other, tmp_path / "model.pt2", "torch", "int8")
    assert list(tmp_path.iterdir()) == []
    save_model(model, tmp_path / "run")
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "none" / "a.onnx")]) == USER_ERROR
    assert "make" in capsys.readouterr().err
    assert main(["export", str(tmp_path)]) == USER_ERROR
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("model.bin", "-o: expected a name that ends in .onnx or .pt2 or .html, got model.bin; name it model.onnx"),
        ("model", "got model; name it model.onnx"),
        ("model.html --format onnx", "-o: expected a name that ends in .onnx, got model.html; name it model.onnx"),
        ("model.onnx --format torch", "-o: expected a name that ends in .pt2, got model.onnx; name it model.pt2"),
    ],
)
def test_a_file_has_the_ending_by_which_programs_know_its_format(
    run: Path, tmp_path: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "-o", *arguments.split()]) == USER_ERROR
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_ending_chooses_the_format(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def exported(model: object, path: Path, form: str, quantize: str) -> None:
        asked.append(form)
        raise ArgumentError("enough")

    monkeypatch.setattr("rezsl.cli.export.export_model", exported)
    for name in ("a.pt2", "a.ONNX"):
        assert main(["export", str(run), "-o", str(tmp_path / name)]) == USER_ERROR
    assert main(["export", str(run)]) == USER_ERROR
    assert asked == ["torch", "onnx", "onnx"]
    assert capsys.readouterr().err.count("enough") == 3


class Deciding(LinearRegressor):
    """A model whose steps depend on its numbers."""

    def forward(self, regions: torch.Tensor) -> torch.Tensor:
        found = super().forward(regions)
        return -found if float(found.sum()) > 0 else found
