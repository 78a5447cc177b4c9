"""What is published about each data set: how large it is, and how its proposed split divides the classes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownDataSet:
    """Published totals, to tell a whole data set from a part of one.

    Attributes:
        title: what papers call it.
        images: number of images (aPY: objects in images; GTSRB: of the training archive).
        classes: number of classes.
        attributes: number of semantics.
        unseen: classes that the split leaves without training images.
        validation: of the other classes, those that validate.
    """

    title: str
    images: int
    classes: int
    attributes: int
    unseen: int
    validation: int

    def shortfall(self, images: int, classes: int) -> tuple[str, ...]:
        """A note where the counts are not the published ones; none where they are."""
        if (images, classes) == (self.images, self.classes):
            return ()
        return (
            f"{images:,} images of {classes:,} classes, where the whole of {self.title} has {self.images:,} of "
            f"{self.classes:,}: figures on this part cannot be compared with published ones",
        )


# Classes per part: the proposed splits of Xian et al. (TPAMI 2018), table 1. GTSRB has none; a fifth of it is unseen.
CUB = KnownDataSet("CUB", 11_788, 200, 312, unseen=50, validation=50)
AWA1 = KnownDataSet("AWA1", 30_475, 50, 85, unseen=10, validation=13)
AWA2 = KnownDataSet("AWA2", 37_322, 50, 85, unseen=10, validation=13)
SUN = KnownDataSet("SUN", 14_340, 717, 102, unseen=72, validation=65)
APY = KnownDataSet("aPY", 15_339, 32, 64, unseen=12, validation=5)
FLO = KnownDataSet("FLO", 8_189, 102, 1024, unseen=20, validation=20)
GTSRB = KnownDataSet("GTSRB", 39_209, 43, 47, unseen=9, validation=8)

KNOWN = (CUB, AWA1, AWA2, SUN, APY, FLO, GTSRB)
