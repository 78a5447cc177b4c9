"""Random changes to training images that leave their class as it is, on tensors through kornia."""

from dataclasses import dataclass

from torch import nn

from rezsl.errors import ArgumentError, needs


@dataclass(frozen=True)
class Augmentation:
    """Small shifts, turns and changes of light.

    No mirror images by default: a mirrored "turn left" is a "turn right", and a mirrored digit is none.

    Attributes:
        rotation: largest turn in degrees.
        translation: largest shift as a share of the image's size.
        scale: largest relative change of size.
        shear: largest shear in degrees.
        brightness: largest relative change of brightness.
        contrast: largest relative change of contrast.
        saturation: largest relative change of saturation, for colour images.
        horizontal_flip: probability of a mirror image.
    """

    rotation: float = 12.0
    translation: float = 0.1
    scale: float = 0.15
    shear: float = 10.0
    brightness: float = 0.3
    contrast: float = 0.4
    saturation: float = 0.25
    horizontal_flip: float = 0.0

    def __post_init__(self) -> None:
        limits = {"rotation": 180.0, "shear": 89.0}
        for name in self.__dataclass_fields__:
            value, most = getattr(self, name), limits.get(name, 1.0)
            if not 0 <= value <= most:
                raise ArgumentError(f"augmentation.{name}: expected a number from 0 to {most:g}, got {value}")

    def build(self, channels: int) -> nn.Module:
        """A module from images in ``[0, 1]`` to changed images, new random numbers for each image."""
        with needs("images", "random changes to images"):
            from kornia import augmentation as kornia  # noqa: PLC0415 - an import that feature benchmarks never need

        steps: list[nn.Module] = []
        # What changes nothing is left out: an affine map blurs a little even where it moves nothing.
        if self.rotation or self.translation or self.scale or self.shear:
            steps.append(
                kornia.RandomAffine(
                    degrees=self.rotation,
                    translate=(self.translation, self.translation),
                    scale=(1 - self.scale, 1 + self.scale),
                    shear=self.shear,
                    padding_mode="border",
                    p=1.0,
                )
            )
        if self.brightness:
            steps.append(kornia.RandomBrightness((1 - self.brightness, 1 + self.brightness), p=1.0))
        if self.contrast:
            steps.append(kornia.RandomContrast((1 - self.contrast, 1 + self.contrast), p=1.0))
        if channels == 3 and self.saturation:
            steps.append(kornia.RandomSaturation((1 - self.saturation, 1 + self.saturation), p=1.0))
        if self.horizontal_flip:
            steps.append(kornia.RandomHorizontalFlip(p=self.horizontal_flip))
        return nn.Sequential(*steps)
