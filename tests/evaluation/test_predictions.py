from pathlib import Path

import numpy as np
import pytest
import torch

from rezsl.errors import DataError
from rezsl.evaluation import analyse, load_predictions
from tests.evaluation.conftest import QUICK, Case

ROWS, COLUMNS = np.random.default_rng(0).permutation(12), [5, 3, 0, 1, 4, 2]


def test_arrays_in_the_tables_order(case: Case, tmp_path: Path) -> None:
    predictions, labels = case.predictions.numpy(), case.labels.numpy()
    scores = np.random.default_rng(0).normal(size=(130, 12))
    np.savez(
        tmp_path / "a.npz", predictions=predictions.astype(np.float64), labels=labels.reshape(1, -1), scores=scores
    )
    loaded = load_predictions(tmp_path / "a.npz", case.semantics)
    assert torch.equal(loaded.predictions, case.predictions)
    assert torch.equal(loaded.labels, case.labels)
    np.testing.assert_allclose(loaded.scores, scores, rtol=1e-6)  # type: ignore[arg-type]
    analyse(loaded.predictions, loaded.labels, case.semantics, case.seen, scores=loaded.scores, options=QUICK)


@pytest.mark.parametrize("labels_by_name", [True, False])
def test_arrays_with_names_are_joined_by_name(case: Case, tmp_path: Path, labels_by_name: bool) -> None:
    names, attributes = (np.array(side) for side in (case.semantics.classes, case.semantics.attributes))
    scores = np.random.default_rng(0).normal(size=(130, 12)).astype(np.float32)
    labels = case.labels.numpy()
    np.savez_compressed(
        tmp_path / "a.npz",
        predictions=case.predictions.numpy()[:, COLUMNS],
        labels=names[labels] if labels_by_name else ROWS.argsort()[labels].astype(np.uint8),
        scores=scores[:, ROWS],
        classes=names[ROWS],
        attributes=attributes[COLUMNS],
    )
    loaded = load_predictions(tmp_path / "a.npz", case.semantics)
    assert torch.equal(loaded.predictions, case.predictions)
    assert torch.equal(loaded.labels, case.labels)
    np.testing.assert_array_equal(loaded.scores, scores)


def test_single_arrays(case: Case, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", case.predictions.numpy())
    np.save(tmp_path / "y.npy", case.labels.numpy())
    loaded = load_predictions(tmp_path / "p.npy", case.semantics, labels=tmp_path / "y.npy")
    assert torch.equal(loaded.labels, case.labels)
    assert loaded.scores is None
    with pytest.raises(DataError, match=r"p\.npy: expected an array 'labels', got predictions; give the labels in a"):
        load_predictions(tmp_path / "p.npy", case.semantics)
    np.save(tmp_path / "y.npy", case.labels.numpy()[:7])
    with pytest.raises(
        DataError, match=r"p\.npy and .*y\.npy: labels: expected a whole number per sample, 130, got .*\(7,\)"
    ):
        load_predictions(tmp_path / "p.npy", case.semantics, labels=tmp_path / "y.npy")


def test_unusable_arrays(case: Case, tmp_path: Path) -> None:
    names, path = np.array(case.semantics.classes), tmp_path / "a.npz"
    good = {"predictions": case.predictions.numpy(), "labels": case.labels.numpy()}
    broken = good["predictions"].copy()
    broken[3] = np.inf
    for changed, message in (
        (
            {"predictions": good["predictions"][:, :5]},
            r"predictions: expected samples × 6 numbers, .* shape \(130, 5\)",
        ),
        ({"predictions": good["predictions"][0]}, r"predictions: expected samples × 6 numbers, .* of shape \(6,\)"),
        ({"predictions": broken}, "predictions: expected finite numbers, got NaN or infinity in row 3"),
        ({"predictions": names[:, None]}, "predictions: expected samples × 6 numbers, got <U3"),
        ({"attributes": np.array(list("uvwxy"))}, "attributes: expected the 6 names .* got 5, which differ in 'z'"),
        ({"attributes": np.array(list("uuwxyz"))}, "attributes: expected the 6 names .* got 6, which differ in 'v'"),
        ({"classes": np.arange(12)}, r"classes: expected names, got int64 of shape \(12,\)"),
        ({"labels": good["labels"] + 2}, r"labels: expected numbers in \[0, 12\), .* in the semantics table"),
        ({"labels": good["labels"] + 2, "classes": names}, r"labels: expected numbers in \[0, 12\), positions in 'c"),
        ({"labels": good["labels"] / 2}, "labels: expected a class number or name per sample, got float64"),
        ({"labels": np.array(["owl"] * 130)}, "classes: expected rows for 'owl', got none"),
        ({"scores": np.zeros((129, 12))}, r"scores: expected numbers \[130, 12\], .* shape \(129, 12\)"),
        ({"scores": np.zeros((130, 11))}, r"scores: expected samples × 12 numbers, got .*\(130, 11\)"),
    ):
        np.savez(path, **(good | changed))
        with pytest.raises(DataError, match=rf"a\.npz: {message}"):
            load_predictions(path, case.semantics)
    np.savez(path, labels=good["labels"])
    with pytest.raises(DataError, match=r"a\.npz: expected an array 'predictions', got labels; save it too$"):
        load_predictions(path, case.semantics)


def test_damaged_and_dangerous_files(case: Case, tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", predictions=case.predictions.numpy(), labels=case.labels.numpy())
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_text("1, 2, 3")
    damaged = bytearray(content)
    damaged[200:260] = bytes(60)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    np.savez(tmp_path / "objects.npz", predictions=np.array([{}], dtype=object), labels=np.zeros(1, dtype=np.int64))
    for name in ("cut.npz", "empty.npy", "text.npy", "damaged.npz", "objects.npz", "missing.npz"):
        with pytest.raises(
            DataError, match=rf"{name}: .*expected a NumPy file of numbers.*; write it again with numpy.savez$"
        ):
            load_predictions(tmp_path / name, case.semantics)
    with pytest.raises(DataError, match=r"p\.csv: expected a NumPy file, \.npz or \.npy"):
        load_predictions(tmp_path / "p.csv", case.semantics)
