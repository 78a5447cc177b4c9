import pytest
import torch

from rezsl.data import load_digits
from rezsl.errors import ArgumentError


def test_the_embedded_benchmark() -> None:
    digits = load_digits()
    assert isinstance(digits.inputs, torch.Tensor)
    assert digits.inputs.shape == (1797, 1, 8, 8)
    assert int(digits.inputs.max()) == 255
    assert digits.unseen_classes == ("2", "5", "8")
    assert digits.class_names(digits.split.val) == ("1", "4")
    parts = digits.split.parts()
    assert len(parts["trainval"]) + len(parts["test_seen"]) + len(parts["test_unseen"]) == 1797
    for digit in (0, 1, 3, 4, 6, 7, 9):  # the last fifth of each seen digit is held out
        of_digit = (digits.labels == digit).nonzero().squeeze(1)
        assert set(of_digit[-(len(of_digit) // 5) :].tolist()) <= set(parts["test_seen"].tolist())


def test_any_digits_can_be_unseen() -> None:
    digits = load_digits(unseen=(3, 1), validation=())
    assert digits.unseen_classes == ("1", "3")
    assert not len(digits.split.val)


@pytest.mark.parametrize(("unseen", "validation"), [([], []), ([10], []), ([1], [1])])
def test_digits_that_cannot_be(unseen: list[int], validation: list[int]) -> None:
    with pytest.raises(ArgumentError, match=r"(unseen|validation): expected .*digit"):
        load_digits(unseen, validation)
