"""The page as one HTML file, with the network and a runtime for browsers inside, which needs no server."""

import base64
import gzip
from pathlib import Path
from typing import Any, NamedTuple

from rezsl.classifier import WEAK, ZeroShotClassifier
from rezsl.errors import MissingPackageError
from rezsl.export import Quantization
from rezsl.export._export import exported_bytes
from rezsl.files import local_path
from rezsl.functional.familiarity import Limit
from rezsl.play._page import describe, render_page
from rezsl.play._playground import ATTRIBUTES, check_photos
from rezsl.writing import write_atomically

RUNTIME = Path(__file__).parent / "runtime"
"""Where ``make runtime`` puts files of the npm package onnxruntime-web; a wheel that is built afterwards has them."""

RUNTIME_VERSION = "1.30.0"

PARTS = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
"""Elements of the page, and the files of onnxruntime-web that they hold."""


class SavedPage(NamedTuple):
    """A page that was written.

    Attributes:
        path: the file.
        bytes: its size.
    """

    path: Path
    bytes: int


def save_page(
    model: ZeroShotClassifier,
    path: str | Path,
    title: str,
    quantize: Quantization = "none",
    runtime: str | Path | None = None,
) -> SavedPage:
    """Write the playground as one HTML file: page, network, table, and onnxruntime-web, all compressed.

    The file works where it lies, without a server and without a network. Large photos are reduced by the browser, so
    that probabilities differ a little from those of the run. Maps are those of attention, where the model has it.

    Args:
        model: a trained model, which reads photos.
        path: the file to write; an earlier file is replaced.
        title: of the page.
        quantize: as for :func:`rezsl.export.export_model`.
        runtime: the folder ``dist`` of the npm package onnxruntime-web; None stands for the one of this installation.

    Raises:
        MissingPackageError: onnxruntime-web is not there, or a package of the extra ``export`` is not installed.
        DataError: the model reads features and not photos.
        ArgumentError: the model cannot be exported.
    """
    check_photos(model)
    parts = _runtime_files(None if runtime is None else local_path(runtime))
    parts["network"], facts, _ = exported_bytes(model, "onnx", quantize)
    grid = facts["grid"]
    kinds = ["attention"] if grid is not None and model.network.scores_are_cosines else []
    description = describe(model, model.semantics, title, kinds) | {"compare": _compared(model, grid)}
    more = "\n".join(
        f'<script type="application/octet-stream" id="{name}">{_packed(content)}</script>'
        for name, content in parts.items()
    )
    content = render_page(description, "browser", connects="'none'", more=more).encode()
    path = local_path(path)
    write_atomically(path, content)
    return SavedPage(path, len(content))


def _runtime_files(folder: Path | None) -> dict[str, bytes]:
    folder = RUNTIME if folder is None else folder
    for name in PARTS.values():
        if not (folder / name).is_file():
            raise MissingPackageError(
                f"runtime: expected {name} of onnxruntime-web in {folder}, got no such file; run make runtime, or "
                f"npm pack onnxruntime-web@{RUNTIME_VERSION}, unpack it and give its folder package/dist with --runtime"
            )
    return {name: (folder / file).read_bytes() for name, file in PARTS.items()}


def _compared(model: ZeroShotClassifier, grid: dict[str, int] | None) -> dict[str, Any]:
    """Return what the page needs for the shares of attributes, and to crop photos."""
    form = check_photos(model)
    limit = None if model.familiarity is None else model.familiarity.get_buffer("limit")
    return {
        "scale": model.scale,
        "gamma": model.gamma,
        "temperature": model.temperature,
        "score_weight": 0.0 if limit is None else Limit(*limit.tolist()).score_weight,
        "origin": model.comparison.origin.tolist(),
        "counted": model.comparison.counted.tolist(),
        "most": ATTRIBUTES,
        "weak": WEAK,
        "grid": grid,
        "size": form.size,
        "resize": form.resize or form.size,
        "framing": form.framing,
    }


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
