"""The paper's six experiments as files: what they say, and that the commands in their first lines run."""

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
    """The settings and published figures of the paper for one data set."""

    learning_rate: float
    step_factor: float
    loss_weight: float
    class_power: float
    semantic_power: float
    attention_dim: int
    hidden_dim: int
    scale: float
    published: str
    options: dict[str, Any]


class Tiny(NamedTuple):
    """A data set of a few images in the layout of the official archive."""

    fixture: str
    files: list[str]
    classes: tuple[str, ...]
    attributes: int


PAPER = {
    "cub": Experiment(5e-4, 0.1, 0.25, 0.1, 0.75, 1024, 0, 20, "T1 80.9, U 72.8, S 74.8, H 73.8", {}),
    "awa2": Experiment(1e-4, 0.5, 1.0, 1.0, 0.1, 300, 4096, 20, "T1 70.9, U 63.8, S 85.6, H 73.1", {"missing": "keep"}),
    "sun": Experiment(5e-4, 0.5, 0.1, 0.1, 0.0, 1024, 0, 25, "T1 63.2, U 47.4, S 34.8, H 40.1", {}),
}
BACKBONES = {
    "resnet101": ("microsoft/resnet-101", 448),
    "vit-b16": ("google/vit-base-patch16-224-in21k", 224),
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
EACH = [(name, network) for name in PAPER for network in BACKBONES]


def command_of(config: Path) -> list[str]:
    """Return the arguments after ``rezsl`` of the command in a file's first comment."""
    command = re.search(r"^#   rezsl (fit .*?[^\\])$", config.read_text(), re.MULTILINE | re.DOTALL)
    assert command is not None
    return shlex.split(command[1].replace("\\\n#", ""))


def tiny_command(name: str, network: str, root: Path, folder: Path) -> list[str]:
    """Return the command of an experiment, with a tiny data set, word vectors and network in place of the real ones."""
    tiny = TINY_DATA[name]
    images = [f"/x/images/{file}" for file in tiny.files]
    splits = proposed(folder / "splits", images, [row // 4 for row in range(len(images))], tiny.classes, unseen=[1])
    words = np.random.default_rng(0).normal(size=(tiny.attributes, 3)).astype(np.float32)
    np.save(folder / "words.npy", words)
    TINY_NETWORKS[network].save_pretrained(folder / "network")
    command = command_of(CONFIGS / f"{name}-{network}.yaml")
    for option, value in {
        "--config": CONFIGS.parent / command[2],
        "--data.root": root,
        "--data.splits": splits,
        "--word-vectors": folder / "words.npy",
    }.items():
        command[command.index(option) + 1] = str(value)
    return [
        *command, "--backbone.source", str(folder / "network"), "--backbone.random-weights", "true",
        "--backbone.image-size", "32", "--batches.per-epoch", "1", "--max-epochs", "1", "--accelerator", "cpu",
    ]  # fmt: skip


def test_six_experiments_share_one_base() -> None:
    experiments = {f"{name}-{network}.yaml" for name, network in EACH}
    assert {path.name for path in CONFIGS.glob("*.yaml")} == experiments | {"base.yaml"}


@pytest.mark.parametrize(("name", "network"), EACH)
def test_the_settings_are_the_papers(name: str, network: str, tmp_path: Path) -> None:
    paper, config = PAPER[name], CONFIGS / f"{name}-{network}.yaml"
    command = command_of(config)
    assert command[:3] == ["fit", "--config", f"configs/{name}-{network}.yaml"]
    settings = parse(fit.parser(), ["--config", str(config), "--data.root", str(tmp_path)]).as_dict()
    assert settings["data"]["class_path"] == f"rezsl.cli.choices.{name}"
    assert settings["data"]["init_args"] == {"root": str(tmp_path), "splits": None, "seed": 0} | paper.options
    source, image_size = BACKBONES[network]
    assert settings["backbone"]["class_path"] == "rezsl.cli.choices.pretrained"
    assert settings["backbone"]["init_args"] == {
        "source": source, "image_size": image_size, "random_weights": False, "unit_regions": False,
        "allow_pickle": False, "revision": None, "framing": "crop", "trainable_stages": None, "pooling": "none",
    }  # fmt: skip
    assert settings["model"]["class_path"] == "rezsl.cli.choices.attention"
    assert settings["model"]["init_args"] == {"attention_dim": paper.attention_dim, "hidden_dim": paper.hidden_dim}
    assert settings["loss"]["class_path"] == "rezsl.ReMSELoss"
    assert settings["loss"]["init_args"] == {
        "class_power": paper.class_power, "semantic_power": paper.semantic_power, "normalize": True,
        "memory": "batch", "unit_mean": False, "error": "squared", "decay": 0.9,
    }  # fmt: skip
    assert (settings["loss_weight"], settings["scale"]) == (paper.loss_weight, paper.scale)
    assert settings["optimization"] == {
        "optimizer": "sgd", "learning_rate": paper.learning_rate, "slow_factor": 1, "backbone_factor": 1,
        "frozen_epochs": 0, "weight_decay": 1e-5, "momentum": 0.9, "schedule": "step", "step_epochs": 10,
        "step_factor": paper.step_factor, "averaging": 0,
    }  # fmt: skip
    assert settings["batches"] == {"ways": 16, "shots": 2, "per_epoch": 300, "size": 32, "micro": 0, "recompute": False}
    augmentation = settings["augmentation"]
    assert augmentation.pop("horizontal_flip") == 0.5
    assert set(augmentation.values()) == {0}
    assert (settings["max_epochs"], settings["patience"], settings["protocol"]) == (30, 30, "honest")


@pytest.mark.parametrize(("name", "network"), EACH)
def test_the_published_figures_stand_under_their_networks_name(name: str, network: str) -> None:
    comment = (CONFIGS / f"{name}-{network}.yaml").read_text().partition("\nbase:")[0]
    assert PAPER[name].published in comment
    assert ("not of this network" in comment) == (network != "resnet101")
    assert "chosen on the test classes" in comment


@pytest.mark.slow
@pytest.mark.parametrize(("name", "network"), EACH)
def test_the_command_runs_under_both_protocols(
    name: str, network: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny, paper = TINY_DATA[name], PAPER[name]
    command = tiny_command(name, network, request.getfixturevalue(tiny.fixture), tmp_path)
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
        assert (backbone["image_size"], backbone["resize"]) == (32, 37)  # 8/7 of it, upwards
        sizes = {"attention_dim": paper.attention_dim, "hidden_dim": paper.hidden_dim}
        assert model["network"] == {"class": "AttentionNet", "options": sizes}
        assert model["scale"] == paper.scale
        assert set(tiny.classes) - set(model["seen_classes"]) == {tiny.classes[1]}  # the given split's unseen class
