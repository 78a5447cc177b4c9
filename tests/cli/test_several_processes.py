"""Under ``torchrun`` ``rezsl fit`` trains in all processes together; every process of another command ends with one line."""

import pytest

from rezsl import fit
from rezsl.cli.main import USER_ERROR, main
from rezsl.data import load_digits
from rezsl.errors import ArgumentError


@pytest.mark.parametrize("rank", ["0", "1"])
def test_every_rank_is_refused_in_one_line(
    rank: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", rank)
    for command in (
        "demo",
        "sweep",
        "compare plan.yaml -o runs",
        "predict",
    ):
        assert main(command.split()) == USER_ERROR
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(
            f"rezsl: error: WORLD_SIZE: expected 1 with rezsl {command.split()[0]}, which works in one process"
        )
        assert f"got 2 (RANK {rank}); start it without torchrun" in lines[0]
    # Without LOCAL_RANK, no process can know its device.
    with pytest.raises(ArgumentError, match="LOCAL_RANK: expected the number of this process"):
        fit(load_digits())
    assert main(["fit", "--help"]) == 0


@pytest.mark.parametrize(("size", "rank"), [("1", "0"), ("4", None), ("", "0"), ("many", "0")])
def test_one_process_is_left_alone(size: str, rank: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    else:
        monkeypatch.delenv("RANK", raising=False)
    assert main(["data", "check", "."]) != USER_ERROR
