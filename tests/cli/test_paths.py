"""Paths of a command line that lead nowhere, or to something else than the command takes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rezsl.classifier import ZeroShotClassifier, save_model
from rezsl.cli.main import USER_ERROR, main
from rezsl.models import AttentionNet
from rezsl.regions import small_resnet
from rezsl.semantics import ClassSemantics


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a photo, other files, a folder of photos and one without any."""
    root = tmp_path_factory.mktemp("paths")
    semantics = ClassSemantics(("a", "b"), ("x", "y"), torch.eye(2))
    backbone = small_resnet(1, 8, width=4)
    model = ZeroShotClassifier(backbone, AttentionNet(backbone.region_dim, semantics), semantics, ["a"])
    save_model(model, root / "runs" / "one")
    (root / "signs" / "images" / "stop").mkdir(parents=True)
    for name in ("photo.png", "signs/images/stop/1.png"):
        Image.new("L", (90, 90)).save(root / name)
    (root / "signs" / "semantics.csv").write_text("class,red,round\nstop,1,0\n")
    (root / "notes.txt").write_text("no photo")
    np.save(root / "rows.npy", np.zeros((1, 5)))
    (root / "empty").mkdir()
    store = root / "runs" / "regions" / "0123456789abcdef"
    store.mkdir(parents=True)
    (store / "manifest.json").write_text("{}")
    unfinished = root / "runs" / "unfinished"
    unfinished.mkdir()
    (unfinished / "settings.json").write_text("{}")
    return root


NO_FILE, NO_FOLDER = "{}: no such file in HERE; check the path", "{}: no such folder in HERE; check the path"
SOURCE = "--backbone.source: expected a folder with config.json and model.safetensors, or a model of the hub such as facebook/dinov2-small, got {}; check the path"
PRETRAINED = ["fit", "--data", "folder", "--data.root", "signs3", "--backbone", "pretrained", "--backbone.source"]
SWAPPED = "photo.png: expected the run before the images; give runs/one first, and then photo.png"
A_MODEL = "expected a folder with a trained model, got"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("predict runs/one nowhere.jpg", NO_FILE.format("nowhere.jpg")),
        ("predict runs/one nowhere.npy", NO_FILE.format("nowhere.npy")),
        ("predict runs/one nowhere.mat", NO_FILE.format("nowhere.mat")),
        ("predict runs/one notes.txt", "notes.txt: expected an image, got a file that is none; restore it from a copy, or leave it out"),
        ("predict runs/one photo.png --classes nowhere.csv", NO_FILE.format("nowhere.csv")),
        ("predict runs/one photo.png --classes signs", "signs: expected comma-separated text, got a folder; name a file"),
        ("predict runs/one photo.png --store nowhere", NO_FOLDER.format("nowhere")),
        ("predict runs/one runs/one", "runs/one: expected images, got a run; give one run before the images"),
        ("predict nowhere photo.png", NO_FOLDER.format("nowhere")),
        ("predict photo.png runs/one", SWAPPED),
        ("explain photo.png runs/one", SWAPPED),
        ("predict notes.txt photo.png", "notes.txt: expected a folder with a trained model, got a file; name a folder"),
        ("predict runs photo.png", f"runs: {A_MODEL} a folder of 1 run; give one of them, such as runs/one"),
        ("predict signs photo.png", f"signs: {A_MODEL} a folder of images; train a model on it with rezsl fit --data folder --data.root signs"),
        ("predict runs/regions photo.png", f"runs/regions: {A_MODEL} a store of regions of images, which runs share; give a run beside it"),
        ("predict runs/unfinished photo.png", f"runs/unfinished: {A_MODEL} a run that has not finished; go on with rezsl fit --run-dir runs/unfinished --resume"),
        ("predict empty photo.png", f"empty: {A_MODEL} a folder without model.json; give a folder that holds a finished run"),
        ("explain runs/one nowhere.jpg", NO_FILE.format("nowhere.jpg")),
        ("explain runs/one signs", "signs: expected one photo, got a folder; give one of its 1 photos, such as signs/images/stop/1.png"),
        ("explain runs/one empty", "empty: expected one photo, got a folder; give a photo"),
        ("evaluate nowhere", NO_FOLDER.format("nowhere")),
        ("evaluate runs/one --foreign nowhere", NO_FILE.format("nowhere")),
        ("report runs/one nowhere", NO_FOLDER.format("nowhere")),
        ("report runs/regions", f"runs/regions: {A_MODEL} a store of regions of images, which runs share; give a run beside it"),
        ("report runs/unfinished runs/regions", f"runs/unfinished: {A_MODEL} a run that has not finished; go on with rezsl fit --run-dir runs/unfinished --resume"),
        ("data check nowhere", NO_FOLDER.format("nowhere")),
        ("data check photo.png", "photo.png: expected a folder with a data set, got a file; name a folder"),
        ("data make-splits nowhere", NO_FOLDER.format("nowhere")),
        ("data make-splits signs/images", "signs/images/images: no such folder; expected images/<class>/<image files>; give the folder around it, signs"),
        ("data make-splits signs --groups nowhere.csv", NO_FILE.format("nowhere.csv")),
        ("fit --data folder --data.root nowhere", NO_FOLDER.format("nowhere")),
        ("fit --data folder --data.root photo.png", "photo.png: expected a folder with images/<class>/<image files> and semantics.csv, got a file; name a folder"),
        ("fit --data cub --data.root nowhere", NO_FOLDER.format("nowhere")),
        ("fit --data xlsa17 --data.root nowhere", NO_FOLDER.format("nowhere")),
        ("fit --data regions --data.root nowhere", NO_FOLDER.format("nowhere")),
        ("fit --data digits --config signs", "signs: expected a YAML file, got a folder; name a file"),
        ("fit --data digits --word-vectors nowhere.npy", NO_FILE.format("nowhere.npy")),
        ("fit --data digits --text-encoder nowhere/", "--text-encoder: expected a folder with a text encoder, its tokenizer and its weights, or a model of the hub such as sentence-transformers/all-MiniLM-L6-v2, got 'nowhere/', no folder of this name; check the path"),
        ("fit --data digits --run-dir photo.png", "--run-dir: photo.png is a file; expected a new or empty directory"),
        ("extract --data digits --backbone small_resnet -o photo.png", "photo.png: expected a folder, got a file; choose another place"),
        ("compare nowhere.yaml -o out", NO_FILE.format("nowhere.yaml")),
        ("sweep --data digits --space nowhere.yaml -o best.yaml", NO_FILE.format("nowhere.yaml")),
        ("sweep --data digits --space nowhere.yaml -o none/best.yaml", "-o: expected a file in a directory that exists, got none/best.yaml; make none first"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong_with_a_path(
    here: Path, arguments: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    capsys.readouterr()
    assert main(arguments.split()) == USER_ERROR
    expected = message.replace("HERE", str(Path.cwd()))
    assert capsys.readouterr().err.splitlines()[-1] == f"rezsl: error: {expected}"


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ("nowhere/", "'nowhere/', no folder of this name"),
        ("./nowhere", "'./nowhere', no folder of this name"),
        ("/nowhere/at/all", "'/nowhere/at/all', no folder of this name"),
        ("no--where", "'no--where', no folder of this name"),
        ("photo.png", "'photo.png', a file"),
    ],
)
def test_a_source_that_can_be_no_model_of_the_hub(
    here: Path, source: str, got: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rule of the hub's client is not quoted, because it speaks of ids where a folder was meant."""
    monkeypatch.chdir(here)
    if not Path("signs3").is_dir():
        for name in ("a", "b", "c"):
            shutil.copytree("signs/images/stop", f"signs3/images/{name}")
            shutil.copy("photo.png", f"signs3/images/{name}/2.png")
        Path("signs3/semantics.csv").write_text("class,x,y\na,1,0\nb,0,1\nc,1,1\nd,1,0.5\n")
    capsys.readouterr()
    assert main([*PRETRAINED, source]) == USER_ERROR
    assert capsys.readouterr().err.splitlines()[-1] == f"rezsl: error: {SOURCE.format(got)}"
    cached = ["--backbone", "pretrained", "--backbone.source", "empty", "--cache", "photo.png"]
    assert main(["fit", "--data", "folder", "--data.root", "signs3", *cached]) == USER_ERROR
    expected = "--backbone.source: expected config.json and model.safetensors in empty, found no config.json"
    assert expected in capsys.readouterr().err
