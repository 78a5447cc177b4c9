"""Trained models on the hub: found by their id, and published with a page about them."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rezsl.classifier._card import card
from rezsl.errors import ArgumentError, ModelFileError, needs
from rezsl.files import local_path, one_line, read_json
from rezsl.regions.pretrained import hub_answers, unknown_revision

if TYPE_CHECKING:
    from rezsl.classifier._classifier import ZeroShotClassifier

NEEDED = ("model.json", "model.safetensors")
RECORDS = ("metrics.json", "settings.json")
"""The files of a run that are published beside the model; no other file of a repository is ever downloaded."""


def is_hub_id(source: str | Path) -> bool:
    """Return whether a text can be the id of a model, such as user/signs, and nothing here has that name.

    A path that begins with a folder that exists is a path, whatever follows.
    """
    part = r"\w(?:[\w.-]*\w)?"
    text = str(source)
    owner = text.partition("/")[0]
    return re.fullmatch(f"{part}/{part}", text, re.ASCII) is not None and not local_path(owner).exists()


def found_directory(source: str | Path, revision: str | None = None) -> Path:
    """Return the directory of a model: the folder itself, or the files of the hub in the local cache.

    Raises:
        ArgumentError: a revision is given with a folder, or the hub has no such model or revision.
        ModelFileError: the hub cannot be reached and the cache does not have the model.
    """
    directory = local_path(source)
    if directory.exists() or not is_hub_id(source):
        if revision is not None:
            raise ArgumentError(
                f"revision: expected none with a folder, got {revision!r} with {source}; leave it out, or give the id "
                f"of a model of the hub"
            )
        return directory
    files = [_file(str(source), name, revision) for name in NEEDED]
    for name in RECORDS:
        _file(str(source), name, revision, needed=False)
    assert files[0] is not None
    return files[0].parent


def _file(source: str, name: str, revision: str | None, needed: bool = True) -> Path | None:
    """Return the path in the cache of a file of the hub, downloaded if need be; None for one that is absent."""
    with needs("images", "models of the hub"):
        from huggingface_hub import errors, hf_hub_download  # noqa: PLC0415 - it takes a second

    try:
        return Path(hf_hub_download(source, name, revision=revision, local_files_only=not hub_answers()))
    except errors.LocalEntryNotFoundError as error:
        if not needed:
            return None
        raise ModelFileError(
            f"{source}: no such folder in {Path.cwd()}, and no model of the local cache, and the hub cannot be "
            f"reached; check the path, or run 'hf download {source}' where there is a network"
        ) from error
    except errors.EntryNotFoundError as error:
        if not needed:
            return None
        raise ModelFileError(
            f"{source}: expected a model of rezsl with {name} on the hub, found none; check the name"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise unknown_revision(source, revision) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelFileError(
            f"{source}: no such folder in {Path.cwd()}, and no model of the hub that it shows without 'hf auth login'; "
            f"check the spelling"
        ) from error
    except (errors.HfHubHTTPError, OSError) as error:
        raise ModelFileError(f"{source}: the hub answered with an error ({one_line(error)}); try it again") from error


def push(
    model: "ZeroShotClassifier", repo_id: str, license: str, private: bool, revision: str | None, message: str
) -> str:
    """Publish a model; see :meth:`ZeroShotClassifier.push_to_hub`."""
    with needs("images", "publishing models"):
        from huggingface_hub import CommitOperationAdd, HfApi, errors  # noqa: PLC0415 - it takes a second

    if not is_hub_id(repo_id):
        raise ArgumentError(f"repo_id: expected the name of a repository such as user/signs, got {repo_id!r}; give one")
    if model.directory is None:
        raise ArgumentError(
            "model: expected one that is saved in a directory, got another; call rezsl.save_model first"
        )
    folder = model.directory
    records = {name: read_json(folder / name, ModelFileError) for name in RECORDS if (folder / name).is_file()}
    page = card(model, repo_id, license, records.get("metrics.json"), records.get("settings.json"))
    description = _without_folders(read_json(folder / "model.json", ModelFileError))
    content: dict[str, Any] = {
        "README.md": page.encode(),
        "model.json": (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode(),
        "model.safetensors": str(folder / "model.safetensors"),
    }
    for name, record in records.items():
        content[name] = (json.dumps(_without_folders(record), indent=2, ensure_ascii=False) + "\n").encode()
    try:
        api = HfApi()
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=part) for name, part in content.items()]
        return str(api.create_commit(repo_id, operations, commit_message=message, revision=revision).commit_url)
    except (errors.HfHubHTTPError, OSError) as error:
        raise ArgumentError(
            f"repo_id: expected a repository that you may write to, got an error for {repo_id!r} ({one_line(error)}); "
            f"sign in with 'hf auth login', or choose another name"
        ) from error


def _without_folders(content: Any) -> Any:
    """Return JSON in which absolute paths are shortened to their last part, because the others may be private."""
    if isinstance(content, dict):
        return {key: _without_folders(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_folders(value) for value in content]
    if isinstance(content, str) and Path(content).is_absolute():
        return Path(content).name
    return content
