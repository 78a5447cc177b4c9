"""Models that make features of classes without images. Each file of this package registers its models."""

from typing import TYPE_CHECKING

from rezsl.generators._generative_model import GenerativeModel
from rezsl.models import MODELS
from rezsl.records import import_modules

if TYPE_CHECKING:  # for type checkers and editors, which do not run the loop below
    from rezsl.generators.cada_vae import CADAVAE as CADAVAE
    from rezsl.generators.clswgan import CLSWGAN as CLSWGAN
    from rezsl.generators.tf_vaegan import TFVAEGAN as TFVAEGAN

__all__ = ["GenerativeModel"]

import_modules(__name__)
_found = {model.__name__: model for model in MODELS.values() if issubclass(model, GenerativeModel)}
globals().update(_found)
__all__.extend(_found)
