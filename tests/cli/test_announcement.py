"""What ``rezsl fit`` says that it does, before it trains."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from jsonargparse import Namespace
from PIL import Image

from rezsl.cli._announcement import announced
from rezsl.cli.main import main
from rezsl.data import Benchmark, load_digits, load_image_folder
from rezsl.training import Choice, Training

SCRATCH = "small_resnet trained from scratch (--backbone pretrained takes a pretrained network)"


def photos(root: Path, size: int) -> Benchmark:
    """Six seen classes of photos, one of them for validation, and an unseen one."""
    lines = ["file,class,split"]
    for place, name in enumerate("abcdefg"):
        (root / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (size + 8, size), (30 * place, 80 * number, 0)).save(root / f"images/{name}/{number}.png")
            part = {"f": "val", "g": "test_unseen"}.get(name, "train")
            lines.append(f"images/{name}/{number}.png,{name},{part}")
    (root / "splits.csv").write_text("\n".join(lines))
    rows = [f"{name},{place % 2},{place // 2},{(place + 1) % 3}" for place, name in enumerate("abcdefg")]
    (root / "semantics.csv").write_text("\n".join(["class,x,y,z", *rows]))
    return load_image_folder(root)


@pytest.mark.parametrize(("size", "network"), [(32, SCRATCH), (100, "facebook/dinov2-small, frozen")])
def test_the_network_and_the_folds_of_photos(tmp_path: Path, size: int, network: str) -> None:
    data = photos(tmp_path, size)
    folds = "1 validation class is too few for γ: 4 folds of the 6 seen classes are used instead (--folds 1 keeps it)"
    assert announced(data, None, Training()) == [f"images of {size} pixels: {network}", folds]
    assert announced(data, None, Training(folds=1)) == [f"images of {size} pixels: {network}"]


@pytest.mark.parametrize(
    ("name", "options", "network"),
    [
        ("small_resnet", {"width": 8}, "small_resnet trained from scratch"),
        ("pretrained", {"source": "x/y", "trainable_stages": 0}, "x/y, frozen"),
        ("pretrained", {"source": "x/y", "trainable_stages": None}, "x/y, all of it learns"),
        ("pretrained", {"source": "x/y", "trainable_stages": 1}, "x/y, its last stage learns"),
        (
            "pretrained",
            {"source": "x/y", "trainable_stages": 2, "random_weights": True},
            "x/y with random weights, its last 2 stages learn",
        ),
        ("Own", {}, "Own"),
    ],
)
def test_a_network_that_was_named(name: str, options: dict[str, Any], network: str) -> None:
    backbone = cast(Any, Namespace)({"class_path": f"somewhere.{name}", "init_args": options})
    assert announced(load_digits(), backbone, Training(folds=1)) == [f"images of 8 pixels: {network}"]
    backbone.init_args = options | {"image_size": 4}
    assert announced(load_digits(), backbone, Training(folds=1)) == [f"images of 8 pixels, scaled to 4: {network}"]


def test_settings_of_a_frozen_network_are_chosen_over_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rezsl.training.protocol.FEW_CLASSES", 2)
    monkeypatch.setattr("rezsl.cli._announcement.FEW_CLASSES", 2)
    frozen = cast(Any, Namespace)(
        {"class_path": "rezsl.regions.pretrained", "init_args": {"source": "x/y", "trainable_stages": 0}}
    )
    digits = load_digits()
    assert announced(digits, frozen, Training())[1:] == [
        "settings and γ are chosen over 4 folds of the 7 seen classes (--folds 1 takes the 2 validation classes alone and "
        "is faster)"
    ]
    assert announced(digits, frozen, Training(centered=True, mixup=1.0))[1:] == []


def test_it_is_printed_before_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos(tmp_path, 16)
    short = ["--max-epochs=1", "--batches.per-epoch=1", "--accelerator=cpu", "--report=false"]
    data = ["--data", "folder", "--data.root", str(tmp_path), "--run-dir", str(tmp_path / "run")]
    assert main(["fit", *data, *short]) == 0
    printed = capsys.readouterr().out
    assert printed.index(SCRATCH) < printed.index("too few for γ: 4 folds") < printed.index("selected on")


def test_what_was_settled_in_words() -> None:
    plain = Choice(1, 0.5, 0.5, 0.5, 0.1, 0.3, unseen_classes=2)
    assert plain.settled() == ""
    assert plain.settled(in_full=True) == "centered false, mixup 0"
    chosen = replace(plain, folds=4, centered=True, mixup=1.0)
    assert chosen.settled() == "4 class folds, centered scores, mixup 1"
    assert chosen.settled(in_full=True) == "4 class folds, centered true, mixup 1"
