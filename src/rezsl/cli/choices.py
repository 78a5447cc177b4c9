"""What ``--data``, ``--model`` and ``--backbone`` may name: public functions, under the names typed on a command line.

Each is a class made from a function's signature, which is how the command line learns its options.
"""

from inspect import isabstract

from jsonargparse import set_parsing_settings
from jsonargparse.typing import class_from_function

from rezsl import losses
from rezsl.data import (
    Benchmark,
    load_apy,
    load_awa2,
    load_cub,
    load_digits,
    load_flowers,
    load_gtsrb,
    load_image_folder,
    load_sun,
    load_synthetic,
    load_xlsa17,
)
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
from rezsl.regions import ImageBackbone, load_region_store
from rezsl.regions import pretrained as pretrained_backbone
from rezsl.regions import small_resnet as small_residual_backbone

# A dataclass otherwise only takes its own fields.
set_parsing_settings(subclasses_enabled=[Benchmark])

digits = class_from_function(load_digits, name="digits")
synthetic = class_from_function(load_synthetic, name="synthetic")
folder = class_from_function(load_image_folder, name="folder")
xlsa17 = class_from_function(load_xlsa17, name="xlsa17")
regions = class_from_function(load_region_store, name="regions")

cub = class_from_function(load_cub, name="cub")
awa2 = class_from_function(load_awa2, name="awa2")
sun = class_from_function(load_sun, name="sun")
apy = class_from_function(load_apy, name="apy")
flowers = class_from_function(load_flowers, name="flowers")
gtsrb = class_from_function(load_gtsrb, name="gtsrb")

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
    "data": ("digits", "synthetic", "folder", "xlsa17", "regions", "cub", "awa2", "sun", "apy", "flowers", "gtsrb"),
    "model": ("attention", "linear", "mlp", "bilinear", "eszsl", "sae", "dap", "gem", "smoothed"),
    "backbone": ("small_resnet", "pretrained"),
    "loss": (*_subclasses(RegressionLoss), "null"),
    "classification": (*_subclasses(ClassificationLoss), "null"),
}
