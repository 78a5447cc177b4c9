"""What an exported file holds: numbers and operations, and of the model's directory nothing that could run."""

import base64
import gzip
import hashlib
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from rezsl.classifier import ZeroShotClassifier, load_model, save_model
from rezsl.export import export_model
from rezsl.models import LinearRegressor
from rezsl.play import _standalone, save_page
from rezsl.play._standalone import PARTS
from rezsl.regions import FeatureScaler, small_resnet
from rezsl.semantics import ClassSemantics

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

NAMES = ("</script><script>evil()</script>", '"><img src=x onerror=evil()>', "\x1b]0;evil\x07", "=evil()")
ATTRIBUTES = ("<!--", "]]>", "{{ evil }}", "javascript:evil()")
MARK = "planted-by-a-stranger"


def planted(model: ZeroShotClassifier, folder: Path) -> ZeroShotClassifier:
    """Return a model as it is loaded from a directory with files of a stranger."""
    save_model(model, folder)
    for name in ("evil.py", "evil.js", "model.onnx", "model.onnx.data", *PARTS.values()):
        (folder / name).write_text(MARK)
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(description | {"script": MARK, "facts": {"runtime": MARK}}))
    return load_model(folder)


@pytest.fixture
def features(tmp_path: Path) -> ZeroShotClassifier:
    table = ClassSemantics(NAMES, ATTRIBUTES, torch.eye(4))
    return planted(ZeroShotClassifier(FeatureScaler(4), LinearRegressor(4, table), table, NAMES[:2]), tmp_path / "run")


@pytest.mark.slow
def test_a_file_of_onnx_has_standard_operations_and_its_own_numbers(
    features: ZeroShotClassifier, tmp_path: Path
) -> None:
    content = export_model(features, tmp_path / "m.onnx").path.read_bytes()
    model = onnx.load_from_string(content)
    assert {node.domain for node in model.graph.node} | {one.domain for one in model.opset_import} == {""}
    assert not model.functions
    assert not [tensor.name for tensor in model.graph.initializer if tensor.data_location or tensor.external_data]
    assert [entry.key for entry in model.metadata_props] == ["rezsl"]
    assert json.loads(model.metadata_props[0].value)["classes"] == list(NAMES)
    for word in (MARK, str(tmp_path), str(Path(__file__).parents[2])):
        assert word.encode() not in content


def test_a_program_of_torch_holds_no_pickle(features: ZeroShotClassifier, tmp_path: Path) -> None:
    path = export_model(features, tmp_path / "m.pt2", "torch").path
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    assert not [
        name for name, part in parts.items() if part.startswith((b"\x80\x02", b"\x80\x04", b"PK")) or b".pkl" in part
    ]
    for word in (MARK, str(tmp_path), str(Path(__file__).parents[2])):
        assert not [name for name, part in parts.items() if word.encode() in part]
    loaded = torch.export.load(io.BytesIO(path.read_bytes())).module()
    assert loaded(torch.rand(2, 4), torch.eye(4), torch.ones(4, dtype=torch.bool))[0].shape == (2, 4)


class Elements(HTMLParser):
    """The elements of a page, with their attributes and their text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.is_open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        self.is_open = True

    def handle_endtag(self, tag: str) -> None:
        self.is_open = False

    def handle_data(self, data: str) -> None:
        if self.is_open:
            self.found[-1][2].append(data)


def test_the_page_runs_its_own_script_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = ClassSemantics(NAMES, ATTRIBUTES, torch.eye(4))
    backbone = small_resnet(1, 8, width=4)
    network = LinearRegressor(backbone.region_dim, table)
    model = planted(ZeroShotClassifier(backbone, network, table, NAMES[:2]), tmp_path / "run")
    (tmp_path / "dist").mkdir()
    for name in PARTS.values():
        (tmp_path / "dist" / name).write_text(f"of the runtime: {name}")

    monkeypatch.setattr(_standalone, "exported_bytes", lambda *_: (b"network", {"grid": None}, 0.0))
    page = save_page(model, tmp_path / "page.html", "<b>title</b>", runtime=tmp_path / "dist").path.read_text("utf-8")
    elements = Elements(page).found
    scripts = [(given, "".join(text)) for tag, given, text in elements if tag == "script"]
    assert [given.get("type") for given, _ in scripts] == [
        "application/json",
        *["application/octet-stream"] * 3,
        "module",
    ]
    packed = {given["id"]: gzip.decompress(base64.b64decode(text)).decode() for given, text in scripts[1:4]}
    assert packed == {"network": "network"} | {part: f"of the runtime: {name}" for part, name in PARTS.items()}
    assert json.loads(scripts[0][1])["classes"] == list(NAMES)
    source = base64.b64encode(hashlib.sha256(scripts[4][1].encode()).digest()).decode()
    policy = next(
        given["content"] or "" for tag, given, _ in elements if given.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("script-src") == f"'sha256-{source}' blob: 'wasm-unsafe-eval'"
    assert rules.pop("img-src") == "data: blob:"
    assert rules.pop("style-src").startswith("'sha256-")
    assert rules == dict.fromkeys(("default-src", "connect-src", "base-uri", "form-action"), "'none'")
    assert not [(tag, name) for tag, given, _ in elements for name in given if name.startswith("on")]
    assert not re.search(r"https?://|@import|<img[^>]+src=\"?x|<b>title", page)
    assert MARK not in page
