"""Every script of ``examples/`` runs, and its model recognises unseen classes; skipped without the script's library."""

import importlib.util
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LIBRARIES = {
    "plain_pytorch": (),
    "lightning_module": ("lightning",),
    "hugging_face_trainer": ("transformers", "accelerate"),
    "metric_learning": ("pytorch_metric_learning",),
    "skorch_estimator": ("sklearn", "skorch"),
}
CHANCE = {"H": 1 / 20, "T1": 1 / 5}


def test_every_script_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*LIBRARIES}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of other libraries are theirs
@pytest.mark.parametrize("name", LIBRARIES)
def test_a_script_recognises_unseen_classes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for library in LIBRARIES[name]:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    found = dict(re.findall(r"\b(H|T1) (\d\.\d+)", capsys.readouterr().out))
    assert found
    for metric, value in found.items():
        assert float(value) > 3 * CHANCE[metric]
    assert [*tmp_path.iterdir()] == []
