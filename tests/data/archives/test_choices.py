from pathlib import Path

import pytest

from rezsl.cli._options import instantiate, parse
from rezsl.cli.fit import parser
from rezsl.data import Benchmark


@pytest.mark.parametrize(
    ("name", "fixture", "images"),
    [
        ("cub", "birds", 20),
        ("awa2", "animals", 20),
        ("sun", "scenes", 24),
        ("apy", "objects", 24),
        ("gtsrb", "signs", 258),
    ],
)
def test_each_archive_is_a_choice_of_the_command_line(
    name: str, fixture: str, images: int, request: pytest.FixtureRequest
) -> None:
    root: Path = request.getfixturevalue(fixture)
    options = parser()
    data = instantiate(options, parse(options, ["--data", name, "--data.root", str(root), "--data.seed", "3"])).data
    assert isinstance(data, Benchmark)
    assert len(data.inputs) == images
    assert any("seed 3 drew" in note for note in data.notes)
