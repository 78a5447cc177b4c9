"""Synthetic features from a table of class semantics: a benchmark of any size with known noise."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from rezsl.data._benchmark import Benchmark, Split
from rezsl.data._readers import reader
from rezsl.errors import ArgumentError, check_at_least, check_not_negative, check_positive, check_share
from rezsl.functional.shapes import ClassMatrix
from rezsl.semantics import ClassSemantics


@reader("synthetic")
def load_synthetic(
    semantics: ClassSemantics | str | Path | None = None,
    classes: int | None = None,
    attributes: int | None = None,
    skew: float = 4.0,
    samples: int | Sequence[int] = 5000,
    dim: int = 256,
    unseen: int = 10,
    validation: int = 8,
    noise: float = 1.0,
    noise_dependence: float = 0.0,
    feature_noise: float = 0.1,
    test_seen_share: float = 0.2,
    seed: int = 0,
) -> Benchmark:
    """Make features that are a linear map of class semantics plus noise: a benchmark of any size with known noise.

    x = (a_y + n) W + m, with the semantics a_y of the sample's class y, a random S × D matrix W, and Gaussian noise n
    and m. n has standard deviation σ_cs = ``noise`` · sd_s · exp(``noise_dependence`` · u_cs) / r_s, where sd_s is
    the standard deviation of attribute s over the classes, u_cs in [0, 1] is where a_cs lies between the lowest and the
    highest value of s, and r_s is the root mean square of the exponential over the classes. So the dependence moves
    noise between the classes, but does not change the mean square noise of any attribute.

    A random table has independent values u^``skew`` with u uniform in (0, 1]. Beta(1/4, 1), the default, has about the
    mean, spread and skewness of the 85 attributes of AWA2 (mean 0.21, standard deviation 0.25, skewness 1.1); but not
    their correlations and zeros.

    The table, W, the unseen classes and the noise are drawn by ``seed``. The draws of the noise do not depend on its
    options, so benchmarks that differ only in ``noise_dependence`` have everything else in common. All classes
    have equally many samples, unless ``samples`` is a list; samples come in the order of their classes.

    Args:
        semantics: the table or its CSV file; None draws one.
        classes: C of a random table, 2 or more; 50 if not given.
        attributes: S of a random table; 85 if not given.
        skew: exponent of a random table's values, above 0: 1 is uniform, larger ones leave few high values.
        samples: N, spread over the classes as evenly as it goes, or a number for each class in the table's order.
        dim: D, the length of a feature vector; below S the features lose information on the attributes.
        unseen: classes without training samples.
        validation: classes that the selection stage holds out; 0 leaves the choice to its seed.
        noise: root mean square of n, in standard deviations of the attribute, 0 or more.
        noise_dependence: logarithm of the ratio of an attribute's noise in the class with its highest value to that in
            the class with its lowest; 0 is no dependence, negative numbers put the noise on low values.
        feature_noise: standard deviation of m, in those of the features between classes, 0 or more.
        test_seen_share: share of each seen class's samples that is ``test_seen``, in ``[0, 1)``.
        seed: seed of all draws; the global random numbers are not changed.

    >>> from rezsl.data import load_synthetic
    >>> load_synthetic(classes=20, attributes=6, samples=400, dim=8, unseen=5, validation=4)
    Benchmark('synthetic', 400 features, 15 seen and 5 unseen classes, 6 attributes)
    """
    generator = torch.Generator().manual_seed(seed)
    table = _table(semantics, classes, attributes, skew, generator)
    sizes = _class_sizes(samples, len(table.classes))
    order = torch.randperm(len(table.classes), generator=generator)
    check_at_least(1, dim=dim)
    check_not_negative(noise=noise, feature_noise=feature_noise)
    if not abs(noise_dependence) < float("inf"):
        raise ArgumentError(f"noise_dependence: expected a finite number, got {noise_dependence}")
    check_share(test_seen_share=test_seen_share)
    if unseen < 1 or validation < 0 or unseen + validation >= len(order):
        raise ArgumentError(
            f"unseen and validation: expected at least 1 and 0, and fewer than the {len(order)} classes together, "
            f"got {unseen} and {validation}; hold out fewer, or make more classes"
        )
    values = table.values
    mixing = torch.randn(values.shape[1], dim, generator=generator)
    between_classes = float(values.double().var(dim=0, correction=0).sum()) ** 0.5
    mixing /= between_classes if between_classes > 0 else 1.0
    labels = torch.arange(len(order)).repeat_interleave(sizes)
    blur = noise * noise_scale(values, noise_dependence)
    blurred = torch.randn(len(labels), values.shape[1], generator=generator).mul_(blur[labels]).add_(values[labels])
    # The product is added to the noise in place, because a second N × D would double the memory.
    features = torch.empty(len(labels), dim).normal_(generator=generator).mul_(feature_noise).addmm_(blurred, mixing)
    # The last samples of each class are held out: they are independent of the others, so that no draw is needed.
    number = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes)[labels]
    kept = (sizes - (test_seen_share * sizes).round().long()).clamp(min=1)
    is_unseen, is_validation = (
        torch.isin(labels, drawn) for drawn in (order[:unseen], order[unseen : unseen + validation])
    )
    split = Split.from_masks(is_unseen, number >= kept[labels], is_validation)
    return Benchmark("synthetic", features, labels, table, split)


def noise_scale(class_semantics: ClassMatrix, dependence: float) -> ClassMatrix:
    """Return σ_cs of :func:`load_synthetic` for ``noise`` 1, ``[C, S]``."""
    values = class_semantics.double()
    low, high = values.amin(dim=0), values.amax(dim=0)
    position = (values - low) / torch.where(high > low, high - low, 1.0)
    exponent = dependence * position
    # The largest exponent is subtracted, so that no exponential overflows; a common factor of the classes cancels.
    growth = (exponent - exponent.amax(dim=0)).exp()
    scale = values.std(dim=0, correction=0) * growth / growth.square().mean(dim=0).sqrt()
    return scale.to(class_semantics.dtype)


def _table(
    semantics: ClassSemantics | str | Path | None,
    classes: int | None,
    attributes: int | None,
    skew: float,
    generator: torch.Generator,
) -> ClassSemantics:
    if semantics is not None:
        for name, count in (("classes", classes), ("attributes", attributes)):
            if count is not None:
                raise ArgumentError(f"{name}: expected none beside a table of semantics, got {count}; leave it out")
        return semantics if isinstance(semantics, ClassSemantics) else ClassSemantics.from_csv(semantics)
    classes, attributes = 50 if classes is None else classes, 85 if attributes is None else attributes
    if classes < 2 or attributes < 1:
        raise ArgumentError(
            f"classes, attributes: expected at least 2 classes and 1 attribute, got {classes} and {attributes}"
        )
    check_positive(skew=skew)
    # The numbers are in (0, 1], so that no class has only zeros.
    uniform = 1 - torch.rand(classes, attributes, generator=generator)
    return ClassSemantics(
        tuple(f"class {number}" for number in range(1, classes + 1)),
        tuple(f"attribute {number}" for number in range(1, attributes + 1)),
        uniform.pow_(skew).clamp_(min=torch.finfo(torch.float32).tiny),
    )


def _class_sizes(samples: int | Sequence[int], class_count: int) -> Int[Tensor, "C"]:
    if isinstance(samples, int):
        sizes = torch.full((class_count,), samples // class_count)
        sizes[: samples % class_count] += 1
    elif len(samples) == class_count:
        sizes = torch.tensor(list(samples), dtype=torch.int64)
    else:
        raise ArgumentError(f"samples: expected a number for each of the {class_count} classes, got {len(samples)}")
    if int(sizes.min()) < 1:
        raise ArgumentError(
            f"samples: expected at least one of each of the {class_count} classes, got {sizes.min()}"
            "; make more samples or fewer classes"
        )
    return sizes
