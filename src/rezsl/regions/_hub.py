"""Files of models on the Hugging Face hub, in its local cache or in a directory, also without a network."""

import logging
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rezsl.errors import ArgumentError, needs


def find_file(source: str, name: str, revision: str | None = None) -> Path | None:
    """Return the path of a file of a model; None where the model exists and has no such file.

    Args:
        source: a directory, or an id on the hub.
        name: name of the file.
        revision: branch, tag or commit on the hub.

    Raises:
        ArgumentError: the source is not a directory and not in the local cache, and the hub cannot be reached.
        MissingPackageError: huggingface_hub is not installed.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    with needs("images", "models of the hub"):
        # The import takes a second.
        from huggingface_hub import hf_hub_download, try_to_load_from_cache  # noqa: PLC0415
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError  # noqa: PLC0415

    try:
        cached = try_to_load_from_cache(source, name, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
        if cached is not None:  # the cache records that the model has no such file
            return None
        if not _hub_answers():
            # The model may be in the cache without this file; its configuration always is.
            if name != "config.json" and find_file(source, "config.json", revision) is not None:
                return None
            raise ArgumentError(
                f"source: {source!r} is neither a directory nor in the local cache, and there is no network; "
                f"give a directory that holds config.json and model.safetensors, or download it elsewhere first"
            )
        with quiet():
            return Path(hf_hub_download(source, name, revision=revision))
    except EntryNotFoundError:
        return None
    except (HFValidationError, HfHubHTTPError, OSError) as error:
        detail = str(error).strip().splitlines()[0][:160]
        raise ArgumentError(
            f"source: expected a directory or a model of the hub, got {source!r} ({detail}); check its spelling"
        ) from error


def commit_of(path: Path) -> str | None:
    """Return the commit of a file in the local cache; None for any other file."""
    # The cache names its files models--<owner>--<name>/snapshots/<commit>/<file>.
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-2] else None


def _hub_answers() -> bool:
    """Return whether the hub can be reached, without its client, which repeats its attempts for half a minute."""
    from huggingface_hub import constants  # noqa: PLC0415 - it takes a second

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True
    host = constants.ENDPOINT.split("//")[-1].split("/")[0].split(":")[0]
    try:
        with socket.create_connection((host, 443), timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars and reports of transformers and of the hub's client; rezsl raises its own errors."""
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415 - it takes seconds

    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    showed_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if showed_bars:
            transformers_logging.enable_progress_bar()
