"""What ``--data``, ``--model`` and ``--backbone`` may name: public functions, under the names typed on a command line.

Each is a class made from a function's signature, which is how the command line learns its options.
"""

from inspect import isabstract

from jsonargparse import set_parsing_settings
from jsonargparse.typing import class_from_function

from rezsl import losses
from rezsl.data import READERS, Benchmark
from rezsl.losses import ClassificationLoss, RegressionLoss
from rezsl.models import (
    DAP,
    ESZSL,
    SAE,
    AttentionNet,
    Bilinear,
    GEMNet,
    LinearRegressor,
    MLPRegressor,
    SmoothedRegressor,
)
from rezsl.regions import ImageBackbone
from rezsl.regions import pretrained as pretrained_backbone
from rezsl.regions import small_resnet as small_residual_backbone

# A dataclass otherwise only takes its own fields.
set_parsing_settings(subclasses_enabled=[Benchmark])

# Each class becomes an attribute of this module, under the reader's name.
for _reader in READERS.values():
    class_from_function(_reader.load, name=_reader.name)

attention = class_from_function(AttentionNet.build, func_return=AttentionNet, name="attention")
linear = class_from_function(LinearRegressor.build, func_return=LinearRegressor, name="linear")
mlp = class_from_function(MLPRegressor.build, func_return=MLPRegressor, name="mlp")
bilinear = class_from_function(Bilinear.build, func_return=Bilinear, name="bilinear")
eszsl = class_from_function(ESZSL.build, func_return=ESZSL, name="eszsl")
sae = class_from_function(SAE.build, func_return=SAE, name="sae")
dap = class_from_function(DAP.build, func_return=DAP, name="dap")
gem = class_from_function(GEMNet.build, func_return=GEMNet, name="gem")
smoothed = class_from_function(SmoothedRegressor.build, func_return=SmoothedRegressor, name="smoothed")

small_resnet = class_from_function(small_residual_backbone, func_return=ImageBackbone, name="small_resnet")
pretrained = class_from_function(pretrained_backbone, func_return=ImageBackbone, name="pretrained")


def _subclasses(base: type) -> tuple[str, ...]:
    """The public losses of a kind, without the classes that only their families share."""
    public = (getattr(losses, name) for name in losses.__all__)
    return tuple(loss.__name__ for loss in public if issubclass(loss, base) and not isabstract(loss))


NAMES = {
    "data": tuple(READERS),
    "model": ("attention", "linear", "mlp", "bilinear", "eszsl", "sae", "dap", "gem", "smoothed"),
    "backbone": ("small_resnet", "pretrained"),
    "loss": (*_subclasses(RegressionLoss), "null"),
    "classification": (*_subclasses(ClassificationLoss), "null"),
}
