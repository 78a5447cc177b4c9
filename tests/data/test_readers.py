"""What every reader must do, whatever it reads."""

import inspect
from pathlib import Path

import pytest

from rezsl import data
from rezsl.data import READERS, check_directory
from rezsl.errors import DataError
from rezsl.records import import_modules

ARCHIVES = [name for name, reader in READERS.items() if reader.totals is not None]
SIGNS = [(name, sign) for name, reader in READERS.items() for sign in reader.signs]


def test_every_public_module_is_found_and_its_loader_is_public() -> None:
    modules = {module.__name__ for module in import_modules("rezsl.data")}
    loaders = [reader.load for reader in READERS.values() if reader.load.__module__.startswith("rezsl.data")]
    assert {load.__module__ for load in loaders} == modules
    for load in loaders:
        assert getattr(data, load.__name__) is load
        assert load.__name__ in data.__all__


@pytest.mark.parametrize("name", READERS)
def test_every_argument_of_a_loader_is_described(name: str) -> None:
    for argument in inspect.signature(READERS[name].load).parameters:
        assert f" {argument}: " in (READERS[name].load.__doc__ or ""), argument


@pytest.mark.parametrize(("name", "sign"), SIGNS)
def test_every_sign_leads_to_its_reader(name: str, sign: str, tmp_path: Path) -> None:
    for part in sign.split(" + "):
        (tmp_path / part.replace("*", "x")).mkdir(parents=True)
    assert check_directory(tmp_path).kind == name


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_without_any_part_names_them_all_with_their_downloads(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    assert reader.totals is not None
    assert reader.check is not None
    found = reader.check(reader, tmp_path, False)
    assert (found.kind, found.title, found.complete, found.found) == (name, reader.totals.title, False, ())
    assert tuple(count.expected for count in found.counts) == reader.totals.counts
    assert found.missing
    assert found.downloads
    with pytest.raises(DataError, match=rf"expected .* of {reader.totals.title}, found none; download "):
        reader.load(tmp_path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_archive_has_a_test_of_its_own(name: str) -> None:
    module = READERS[name].load.__module__.rpartition(".")[2]
    assert (Path(__file__).parent / "archives" / f"test_{module}.py").is_file()
