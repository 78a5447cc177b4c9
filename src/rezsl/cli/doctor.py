"""``rezsl doctor``: versions, devices, caches, and what is missing for what.

It has to work where little else does, so that it imports nothing at its top but the standard library.
"""

import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from rezsl.cli._help import columns
from rezsl.errors import ArgumentError, one_line_of, suggestion

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

DISABLES = {
    "cli": "all commands but this one",
    "train": "training: fit, demo, sweep and compare",
    "heic": "photos of phones in the format HEIC",
    "images": "photos, and the pretrained networks that read them",
    "export": "files of models for other programs: rezsl export",
    "play": "the page of rezsl play",
    "report": "tables, plots and pages of results",
    "estimators": "the methods as scikit-learn classifiers",
    "experiments": "sweep and compare",
    "dask": "sweep and compare on a cluster of dask",
    "ray": "sweep and compare on a cluster of ray",
    "postgres": "searches that share a PostgreSQL database",
    "datasets": "photos in data sets of Hugging Face",
    "remote": "photos in object stores, such as s3://…",
    "matlab": "files of MATLAB 7.3 (older ones can be read)",
    "tensorboard": "--logger tensorboard",
    "wandb": "--logger wandb",
    "mlflow": "--logger mlflow",
    "timm": "networks of timm",
}
"""What cannot be used without the packages of each extra of ``pyproject.toml``."""

CORE_BROKEN = 1

UNITS = {10**3: "kB", 10**6: "MB", 10**9: "GB"}


def parser() -> "ArgumentParser":
    """Return the parser, which only the help needs; see :func:`settings_of`."""
    from rezsl.cli._parser import new_parser  # noqa: PLC0415 - the command also works where it is not installed

    options = new_parser("doctor")
    options.add_argument("--json", action="store_true")
    return options


def settings_of(arguments: Sequence[str]) -> SimpleNamespace:
    """Return the options of a command line; an unknown one is an ArgumentError.

    The parser of the other commands is not used, because its packages may be missing.
    """
    if unknown := [word for word in arguments if word != "--json"]:
        kind = "unknown option" if unknown[0].startswith("-") else "unexpected argument"
        near = suggestion(unknown[0], ["--json"])
        raise ArgumentError(f"{kind} {unknown[0]}{near}; see rezsl doctor --help")
    return SimpleNamespace(json="--json" in arguments)


def run(options: object, settings: Any) -> int:
    """Print what was found; return 1 where a package of the core is missing, too old, or cannot be imported."""
    found = examined()
    if settings.json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(described(found)))
    return 0 if not found["core"]["problems"] else CORE_BROKEN


def examined() -> dict[str, Any]:
    """Return everything that the command shows, as JSON values."""
    of_extras = requirements()
    core = [_checked(text) for text in of_extras.pop("", [])]
    devices, problem = _devices()
    return {
        "rezsl": _version("rezsl"),
        "place": str(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "system": platform.platform(),
        "core": {"packages": {one.name: one.version for one in core}, "problems": [*_problems(core), *problem]},
        "extras": {
            extra: {
                "packages": {one.name: one.version for one in map(_checked, of_extras[extra])},
                "problems": _problems([_checked(text) for text in of_extras[extra]]),
                "needed_for": purpose,
            }
            for extra, purpose in DISABLES.items()
            if extra in of_extras
        },
        "devices": devices,
        "caches": [{"path": str(path), "holds": holds, "bytes": _size(path)} for path, holds in _caches()],
    }


class Package(NamedTuple):
    """A package that is required.

    Attributes:
        name: its name.
        version: the installed version; None where it is not installed.
        least: the condition on its version, such as ``>=2.4``, that does not hold; empty where all is well.
    """

    name: str
    version: str | None
    least: str


def requirements(of: str = "rezsl") -> dict[str, list[str]]:
    """Return the requirements of each extra, those of the extras in it included; the core has the empty name."""
    found: dict[str, list[str]] = {}
    for line in requires(of) or []:
        requirement, _, condition = line.partition(";")
        _, is_extra, extra = condition.replace("'", '"').partition('extra == "')
        found.setdefault(extra.partition('"')[0] if is_extra else "", []).append(requirement.strip())
    return {extra: list(_expanded(found, extra, of)) for extra in found}


def _expanded(found: dict[str, list[str]], extra: str, of: str) -> Iterator[str]:
    for line in found.get(extra, []):
        name, bracket, inside = line.partition("[")
        if bracket and name == of:
            for part in inside.rstrip("]").split(","):
                yield from _expanded(found, part.strip(), of)
        else:
            yield line


def _checked(requirement: str) -> Package:
    """Compare an installed package with a requirement such as ``torch>=2.4``."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - the overview of commands does without it

    wanted = Requirement(requirement)
    installed = _version(wanted.name)
    fits = installed is not None and wanted.specifier.contains(installed, prereleases=True)
    return Package(wanted.name, installed, "" if fits else str(wanted.specifier))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _problems(packages: Sequence[Package]) -> list[str]:
    return [
        f"{one.name} is not installed" if one.version is None else f"{one.name} {one.version} is not {one.least}"
        for one in packages
        if one.least or one.version is None
    ]


def _devices() -> tuple[list[dict[str, Any]], list[str]]:
    """Return the devices that PyTorch can use, and the reason why it cannot be imported, if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    devices: list[dict[str, Any]] = [{"name": "cpu", "description": f"{cores} core{'s' if cores > 1 else ''}"}]
    try:
        import torch  # noqa: PLC0415 - an import of seconds, which may fail

        devices[0]["description"] += f", {torch.get_num_threads()} in use by PyTorch"
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            memory = f"{card.total_memory / 2**30:.0f} GiB"
            devices.append({"name": f"cuda:{number}", "description": f"{card.name}, {memory}"})
        if torch.backends.mps.is_available():
            devices.append({"name": "mps", "description": "the graphics processor of this Mac"})
    except Exception as error:  # noqa: BLE001 - a broken installation may raise anything
        return devices, [one_line_of(f"torch cannot be imported: {type(error).__name__}: {error}")[:200]]
    return devices, []


def _caches() -> Iterator[tuple[Path, str]]:
    """Yield the directories that rezsl and the libraries below it fill, and what each of them holds."""
    try:
        from rezsl.regions import cache_beside, user_cache  # noqa: PLC0415 - an import of seconds, which may fail

        yield user_cache(), "regions of photos, computed once"
        yield cache_beside(Path("runs/any")), "the same, of the runs in this folder"
    except ImportError:
        pass
    try:
        from huggingface_hub.constants import HF_HUB_CACHE  # noqa: PLC0415 - an optional package

        yield Path(HF_HUB_CACHE), "networks and texts of the hub"
    except ImportError:
        pass


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder; links count nothing, because their targets are counted."""
    paths = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths if not path.is_symlink())


def described(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of a terminal: versions, devices, caches, and then the optional parts, first those that work."""
    core, devices = found["core"], {device["name"]: device["description"] for device in found["devices"]}
    if {*devices} == {"cpu"} and not core["problems"]:
        devices["no others"] = "PyTorch finds no graphics processor; trainings of whole networks take long"
    parts = found["extras"]
    of_parts = {name: installed for part in parts.values() for name, installed in part["packages"].items() if installed}
    others = [f"{name}=={installed}" for name, installed in sorted(of_parts.items()) if name not in core["packages"]]
    sections: dict[str, dict[str, str]] = {
        "Versions:": {
            "rezsl": f"{found['rezsl']} in {found['place']}",
            "python": f"{found['python']} on {found['system']}",
            **{name: installed or "missing" for name, installed in core["packages"].items()},
            "optional": ", ".join(others) or "none",
        },
        "Problems (rezsl does not work until they are mended):": {
            str(number): problem for number, problem in enumerate(core["problems"], 1)
        },
        "Devices:": devices,
        "Caches, which may be removed (they are filled again when needed):": {
            cache["path"]: f"{bytes_of(cache['bytes'])}: {cache['holds']}" for cache in found["caches"]
        },
        "Optional parts that are installed, and what each is needed for:": {
            extra: part["needed_for"] for extra, part in parts.items() if not part["problems"]
        },
        "Optional parts that are missing (pip install 'rezsl[NAME]' adds one):": {
            extra: f"{part['needed_for']}; {', '.join(part['problems'])}"
            for extra, part in parts.items()
            if part["problems"]
        },
    }
    blank = ""
    for title, entries in sections.items():
        if entries:
            yield f"{blank}{title}"
            yield from columns(entries)
            blank = "\n"


def bytes_of(count: int) -> str:
    """Return a number of bytes as a person reads it.

    >>> bytes_of(0), bytes_of(2_500_000)
    ('empty', '2.5 MB')
    """
    if not count:
        return "empty"
    power = next((power for power in UNITS if count < 1000 * power), max(UNITS))
    return f"{count / power:.1f} {UNITS[power]}"
