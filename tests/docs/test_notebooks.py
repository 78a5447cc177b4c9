"""The notebooks of ``examples/``: their cells run one after the other, and the outputs in them are of a whole run."""

import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
FEWER = {"EPOCHS = 40": "EPOCHS = 1", "in range(20)": "in range(6)"}
LARGEST = 200_000


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_is_a_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["own_photos"]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_run_in_their_order(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    namespace: dict[str, Any] = {"__name__": "notebook"}
    shortened = 0
    for number, cell in enumerate(cells_of(notebook), start=1):
        code = "".join(cell["source"])
        for long, short in FEWER.items():
            shortened += long in code
            code = code.replace(long, short)
        exec(compile(code, f"{notebook.name}, code cell {number}", "exec"), namespace)
    assert shortened == len(FEWER)
    assert (tmp_path / "why.png").stat().st_size > 0


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_are_those_of_one_run(notebook: Path) -> None:
    cells = cells_of(notebook)
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert "error" not in kinds
    assert "display_data" in kinds
    text = notebook.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert "stderr" not in text
    assert not [
        word for word in ("/home/", "/Users/", "/root/", f"{tempfile.gettempdir()}/", f"{Path.cwd()}/") if word in text
    ]
