import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import rezsl

ROOT = Path(__file__).parents[1]
CORE = """
import torch
from rezsl.losses import ReMSELoss
from rezsl.metrics import SeenUnseen
from rezsl.models import AttentionNet
from rezsl.semantics import ClassSemantics
import rezsl, rezsl.functional

table = ClassSemantics.from_csv("semantics.csv")
network = AttentionNet(6, torch.rand(3, 5), attention_dim=4)
labels = torch.tensor([0, 1, 1, 0])
prediction = network(torch.rand(4, 9, 6))
ReMSELoss()(prediction, table.values[labels], labels).backward()
assert network.attention(torch.rand(4, 9, 6)).shape == (4, 3, 9)
assert any(bool(weight.grad.any()) for weight in network.parameters() if weight.grad is not None)
metric = SeenUnseen(is_seen=torch.tensor([True, True, False]))
metric.update(rezsl.functional.class_scores(prediction.detach(), table.values), torch.tensor([0, 1, 2, 2]))
print(0 <= metric.compute().ausuc <= 1)
"""


@pytest.fixture(scope="session")
def core_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that `pip install rezsl` brings, without any extra, and no others."""
    folder = tmp_path_factory.mktemp("core")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    waiting = [Requirement(line).name for line in declared]
    done = {"rezsl"}
    link_distribution("rezsl", folder)
    while waiting:
        name = waiting.pop()
        if name not in done:
            done.add(name)
            link_distribution(name, folder)
            needed = [Requirement(line) for line in metadata.requires(name) or []]
            waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return folder


def link_distribution(name: str, folder: Path) -> None:
    """Link the files of an installed distribution into a folder, its metadata included."""
    files = metadata.files(name)
    assert files is not None, f"{name}: its list of files is missing"
    root = Path(str(metadata.distribution(name).locate_file("")))
    for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
        if not top.endswith(".pth") and not (folder / top).exists():
            (folder / top).symlink_to(root / top)


def run_python(code: str, packages: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that finds rezsl, the standard library and the given packages only."""
    paths = f"{ROOT / 'src'}:{packages}"
    # -S leaves out the packages that are installed beside this Python.
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, env={"PYTHONPATH": paths}, cwd=folder, capture_output=True, text=True, check=False)


def test_core_needs_at_most_seven_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(project["dependencies"]) <= 7
    apart = {
        "all",
        "dask",
        "datasets",
        "remote",
        "heic",
        "postgres",
        "ray",
        "timm",
        "mlflow",
        "wandb",
        "dev",
        "docs",
    }  # those that bring much along, or no application
    applications = {name for name in project["optional-dependencies"] if name not in apart}
    (everything,) = project["optional-dependencies"]["all"]
    assert Requirement(everything).extras == applications


@pytest.mark.slow
def test_core_works_without_any_extra(core_packages: Path, tmp_path: Path) -> None:
    (tmp_path / "semantics.csv").write_text("class,mane,stripes,hooves\nhorse,1,0,1\ntiger,0,1,0\nzebra,1,1,1\n")
    found = run_python(CORE, core_packages, tmp_path)
    assert found.stdout == "True\n", found.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "package", "extra"),
    [
        ("rezsl.fit", "lightning_fabric", "train"),
        ("rezsl.estimators", "sklearn", "estimators"),
        ("rezsl.load_digits()", "sklearn", "estimators"),
        ("rezsl.load_image_folder('.')", "PIL", "images"),
        ("import rezsl.report", "rich", "report"),
        ("import rezsl.experiments", "joblib", "experiments"),
        (
            "import sys; sys.argv[1:] = ['evaluate', 'x']; from rezsl.__main__ import main; raise SystemExit(main())",
            "jsonargparse",
            "cli",
        ),
    ],
)
def test_a_missing_extra_is_named_in_one_line(
    code: str, package: str, extra: str, core_packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "images" / "horse").mkdir(parents=True)
    (tmp_path / "semantics.csv").write_text("class,mane\nhorse,1\n")
    found = run_python(f"import rezsl; {code}", core_packages, tmp_path)
    assert found.returncode != 0
    message = found.stderr.splitlines()[-1]
    assert f"expected the package '{package}', which is not installed; pip install 'rezsl[{extra}]'" in message


def test_import_stays_light() -> None:
    """Packages that take seconds to import are loaded at their first use, not by ``import rezsl``."""
    heavy = {"torch", "lightning_fabric", "transformers", "matplotlib", "kornia", "sklearn", "scipy"}
    code = f"import sys, rezsl; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_evaluating_needs_no_training_library() -> None:
    heavy = {"lightning_fabric", "kornia", "sklearn"}
    code = f"import sys, rezsl; rezsl.evaluate, rezsl.load_model; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in rezsl.__all__:
        assert getattr(rezsl, name).__doc__
    assert set(rezsl.__all__) <= set(dir(rezsl))
    for room in rezsl._ROOMS:
        module = getattr(rezsl, room)
        for name in module.__all__:
            assert hasattr(module, name), f"rezsl.{room}.{name}"
