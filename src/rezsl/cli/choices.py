"""What ``--data``, ``--model`` and ``--backbone`` may name: public functions, under the names typed on a command line.

Each is a class made from a function's signature, which is how the command line learns its options.
"""

from inspect import isabstract

from jsonargparse import set_parsing_settings
from jsonargparse.typing import class_from_function

from rezsl.data import READERS, Benchmark
from rezsl.losses import LOSSES, ClassificationLoss, RegressionLoss
from rezsl.models import MODELS
from rezsl.regions import ImageBackbone
from rezsl.regions import pretrained as pretrained_backbone
from rezsl.regions import small_resnet as small_residual_backbone

# A dataclass otherwise only takes its own fields.
set_parsing_settings(subclasses_enabled=[Benchmark])

# Each class becomes an attribute of this module, under the name of the reader or model.
for _reader in READERS.values():
    class_from_function(_reader.load, name=_reader.name)

for _name, _model in MODELS.items():
    class_from_function(_model, func_return=_model, name=_name)

small_resnet = class_from_function(small_residual_backbone, func_return=ImageBackbone, name="small_resnet")
pretrained = class_from_function(pretrained_backbone, func_return=ImageBackbone, name="pretrained")


def _subclasses(base: type) -> tuple[str, ...]:
    """The public losses of a kind, without the classes that only their families share."""
    return tuple(name for name, loss in LOSSES.items() if issubclass(loss, base) and not isabstract(loss))


NAMES = {
    "data": tuple(READERS),
    "model": tuple(MODELS),
    "backbone": ("small_resnet", "pretrained"),
    "loss": (*_subclasses(RegressionLoss), "null"),
    "classification": (*_subclasses(ClassificationLoss), "null"),
}
