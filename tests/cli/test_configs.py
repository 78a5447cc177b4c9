"""The paper's experiments as files: what they say, and that the commands in their first lines run."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from transformers import PretrainedConfig, ResNetConfig, ViTConfig

from rezsl.cli import fit
from rezsl.cli._options import parse
from rezsl.cli.main import main
from tests.data.archives.conftest import animals, birds, scenes  # noqa: F401 - fixtures, asked for by name
from tests.data.archives.writing import ANIMALS, BIRDS, SCENES, bird_files, proposed, scene_files

CONFIGS = Path(__file__).parents[2] / "configs"


class Experiment(NamedTuple):
    """The settings of one file that differ between the files."""

    data: str
    network: str
    learning_rate: float
    step_factor: float
    loss_weight: float
    class_power: float
    semantic_power: float
    memory: str
    attention_dim: int
    hidden_dim: int
    ratio: float
    scale: float


class Tiny(NamedTuple):
    """A data set of a few images in the layout of the official archive."""

    fixture: str
    files: list[str]
    classes: tuple[str, ...]
    attributes: int


PAPER = {
    "cub-resnet101-2023": Experiment("cub", "resnet101", 5e-4, 0.1, 0.1, 0.75, 0.0, "running", 1024, 0, 1.0, 20),
    "awa2-resnet101-2023": Experiment("awa2", "resnet101", 5e-5, 0.5, 1.0, 1.0, 0.0, "running", 300, 4096, 0.125, 20),
    "sun-resnet101-2023": Experiment("sun", "resnet101", 5e-4, 0.5, 1.0, 1.25, 0.0, "running", 1024, 0, 1.0, 25),
    "cub-resnet101-2026": Experiment("cub", "resnet101", 5e-4, 0.1, 0.25, 0.1, 0.75, "batch", 1024, 0, 1.0, 20),
    "awa2-resnet101-2026": Experiment("awa2", "resnet101", 1e-4, 0.5, 1.0, 1.0, 0.1, "batch", 300, 4096, 1.0, 20),
    "sun-resnet101-2026": Experiment("sun", "resnet101", 5e-4, 0.5, 0.1, 0.1, 0.0, "batch", 1024, 0, 1.0, 25),
    "cub-vit-b16-2026": Experiment("cub", "vit-b16", 5e-4, 0.1, 0.1, 0.0, 0.0, "batch", 1024, 0, 1.0, 20),
    "awa2-vit-b16-2026": Experiment("awa2", "vit-b16", 1e-4, 0.5, 0.1, 0.0, 0.0, "batch", 300, 4096, 1.0, 20),
    "sun-vit-b16-2026": Experiment("sun", "vit-b16", 5e-4, 0.5, 0.1, 0.0, 0.0, "batch", 1024, 0, 1.0, 25),
}
PUBLISHED = {
    "cub-resnet101-2023": "T1 80.9, U 72.8, S 74.8, H 73.8",
    "awa2-resnet101-2023": "T1 70.9, U 63.8, S 85.6, H 73.1",
    "sun-resnet101-2023": "T1 63.2, U 47.4, S 34.8, H 40.1",
}
OF_DATA: dict[str, dict[str, Any]] = {"cub": {}, "awa2": {"missing": "keep"}, "sun": {}}
BACKBONES = {
    "resnet101": ("timm/resnet101.tv_in1k", 448),
    "vit-b16": ("timm/vit_base_patch16_224.augreg_in21k_ft_in1k", 224),
}
TINY_NETWORKS: dict[str, PretrainedConfig] = {
    "resnet101": ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="bottleneck"),
    "vit-b16": ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    ),
}
TINY_DATA = {
    "cub": Tiny("birds", bird_files(), BIRDS, 4),
    "awa2": Tiny("animals", [f"{name}/{name}_{10001 + n}.jpg" for name in ANIMALS for n in range(4)], ANIMALS, 5),
    "sun": Tiny("scenes", scene_files(), tuple("_".join(scene.split("/")[1:]) for scene in SCENES), 6),
}


def command_of(config: Path) -> list[str]:
    """Return the arguments after ``rezsl`` of the command in a file's first comment."""
    command = re.search(r"^#   rezsl (fit .*?[^\\])$", config.read_text(), re.MULTILINE | re.DOTALL)
    assert command is not None
    return shlex.split(command[1].replace("\\\n#", ""))


def tiny_command(name: str, root: Path, folder: Path) -> list[str]:
    """Return the command of an experiment, with a tiny data set, word vectors and network in place of the real ones."""
    tiny = TINY_DATA[PAPER[name].data]
    images = [f"/x/images/{file}" for file in tiny.files]
    splits = proposed(folder / "splits", images, [row // 4 for row in range(len(images))], tiny.classes, unseen=[1])
    words = np.random.default_rng(0).normal(size=(tiny.attributes, 3)).astype(np.float32)
    np.save(folder / "words.npy", words)
    TINY_NETWORKS[PAPER[name].network].save_pretrained(folder / "network")
    command = command_of(CONFIGS / f"{name}.yaml")
    for option, value in {
        "--config": CONFIGS.parent / command[2],
        "--data.root": root,
        "--data.splits": splits,
        "--word-vectors": folder / "words.npy",
    }.items():
        command[command.index(option) + 1] = str(value)
    return [
        *command, "--backbone.source", str(folder / "network"), "--backbone.random-weights", "true",
        "--backbone.image-size", "32", "--backbone.resize", "32", "--batches.per-epoch", "1", "--max-epochs", "1", "--accelerator", "cpu",
    ]  # fmt: skip


def test_each_file_is_an_experiment_of_a_date() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*PAPER, "base"}


@pytest.mark.parametrize("name", PAPER)
def test_the_settings_are_the_papers(name: str, tmp_path: Path) -> None:
    paper, config = PAPER[name], CONFIGS / f"{name}.yaml"
    assert command_of(config)[:3] == ["fit", "--config", f"configs/{name}.yaml"]
    settings = parse(fit.parser(), ["--config", str(config), "--data.root", str(tmp_path)]).as_dict()
    assert settings["data"]["class_path"] == f"rezsl.cli.choices.{paper.data}"
    assert settings["data"]["init_args"] == {"root": str(tmp_path), "splits": None, "seed": 0} | OF_DATA[paper.data]
    source, image_size = BACKBONES[paper.network]
    assert settings["backbone"]["class_path"] == "rezsl.cli.choices.pretrained"
    assert settings["backbone"]["init_args"] == {
        "source": source, "image_size": image_size, "random_weights": False, "unit_regions": False,
        "allow_pickle": False, "revision": None, "framing": "crop", "resize": image_size, "trainable_stages": None,
        "pooling": "none",
    }  # fmt: skip
    assert settings["model"]["class_path"] == "rezsl.cli.choices.attention"
    assert settings["model"]["init_args"] == {
        "attention_dim": paper.attention_dim, "hidden_dim": paper.hidden_dim, "ratio": paper.ratio,
        "readout_std": 1, "output_init": "uniform",
    }  # fmt: skip
    assert settings["loss"]["class_path"] == "rezsl.ReMSELoss"
    assert settings["loss"]["init_args"] == {
        "class_power": paper.class_power, "semantic_power": paper.semantic_power, "normalize": True,
        "memory": paper.memory, "unit_mean": False, "error": "squared", "decay": 0.9, "weights_from": "squared",
        "process_group": None,
    }  # fmt: skip
    assert (settings["loss_weight"], settings["scale"]) == (paper.loss_weight, paper.scale)
    assert (settings["centered"], settings["mixup"], settings["seed"]) == (False, 0, 214)
    assert settings["optimization"] == {
        "optimizer": "sgd", "learning_rate": paper.learning_rate, "slow_factor": 1, "backbone_factor": 1,
        "frozen_epochs": 0, "weight_decay": 1e-5, "decay_biases": True, "momentum": 0.9, "schedule": "step",
        "step_epochs": 10, "step_factor": paper.step_factor, "averaging": 0,
    }  # fmt: skip
    assert settings["batches"] == {
        "ways": 16, "shots": 2, "balanced": False, "per_epoch": 300, "size": 32, "micro": 0, "recompute": False,
    }  # fmt: skip
    augmentation = settings["augmentation"]
    assert augmentation.pop("horizontal_flip") == 0.5
    assert augmentation.pop("crop") == 448 / 512 == 224 / 256
    assert set(augmentation.values()) == {0}
    assert (settings["max_epochs"], settings["patience"], settings["protocol"]) == (30, 30, "honest")


@pytest.mark.parametrize("name", PAPER)
def test_the_published_figures_stand_beside_the_settings_of_their_date(name: str) -> None:
    comment = (CONFIGS / f"{name}.yaml").read_text().partition("\nbase:")[0]
    if name in PUBLISHED:
        assert PUBLISHED[name] in comment
        assert "chosen on the test classes" in comment
    else:
        assert "T1" not in comment
        assert "The code's readme has no figures for" in comment


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPER)
def test_the_command_runs_under_both_protocols(
    name: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = PAPER[name]
    tiny = TINY_DATA[paper.data]
    command = tiny_command(name, request.getfixturevalue(tiny.fixture), tmp_path)
    # The page is drawn of one experiment on each data set, because drawing takes the longest.
    command += ["--report", str(name == next(one for one in PAPER if PAPER[one].data == paper.data)).lower()]
    for protocol in ("honest", "oracle"):
        run = tmp_path / protocol
        command[command.index("--run-dir") + 1] = str(run)
        capsys.readouterr()
        assert main([*command, *(["--protocol", "oracle"] if protocol == "oracle" else [])]) == 0
        # The name of a row may take two lines.
        assert ("test (oracle" in capsys.readouterr().out) == (protocol == "oracle")
        assert json.loads((run / "metrics.json").read_text())["test"]["protocol"] == protocol
        model = json.loads((run / "model.json").read_text())
        backbone = model["backbone"]["arguments"]
        assert (backbone["image_size"], backbone["resize"], backbone["framing"]) == (32, 32, "crop")
        assert model["network"]["class"] == "AttentionNet"
        assert model["network"]["options"]["ratio"] == paper.ratio
        assert model["scale"] == paper.scale
        assert set(tiny.classes) - set(model["seen_classes"]) == {tiny.classes[1]}  # the given split's unseen class
