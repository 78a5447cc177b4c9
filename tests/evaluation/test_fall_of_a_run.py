from pathlib import Path

import numpy as np
import pytest
import torch

from rezsl.errors import RunDirectoryError
from rezsl.evaluation import AnalysisOptions, analyse_error_fall, load_error_fall

QUICK = AnalysisOptions(resamples=20)


def written(path: Path, epochs: int) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    errors = torch.stack([0.1 * (-0.2 * (1 - values) * epoch).exp() for epoch in range(1, epochs + 1)])
    np.savez(
        path / "validation_errors.npz",
        epochs=np.arange(1, epochs + 1), errors=errors.numpy(), class_semantics=values.numpy(),
    )  # fmt: skip
    return errors, values


def test_the_fall_of_a_run_is_that_of_its_epochs(tmp_path: Path) -> None:
    errors, values = written(tmp_path, 4)
    fall, expected = load_error_fall(tmp_path, QUICK), analyse_error_fall(errors, values, options=QUICK)
    assert fall is not None
    torch.testing.assert_close(fall.rate, expected.rate)
    torch.testing.assert_close(fall.rate, 0.2 * (1 - values.double()), rtol=1e-4, atol=1e-6)
    assert fall.epochs.tolist() == [1, 2, 3, 4]


def test_one_epoch_or_none_at_all_tells_nothing(tmp_path: Path) -> None:
    assert load_error_fall(tmp_path) is None
    written(tmp_path, 1)
    assert load_error_fall(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "validation_errors.npz").write_bytes(content)
    with pytest.raises(
        RunDirectoryError, match=r"validation_errors.npz: expected the error matrices .* got a damaged file"
    ):
        load_error_fall(tmp_path)
