"""Input stages: from features or images to regions."""

from rezsl.backbones.backbone import Backbone
from rezsl.backbones.feature_scaler import FeatureScaler
from rezsl.backbones.image_backbone import ImageBackbone
from rezsl.backbones.pretrained import pretrained
from rezsl.backbones.scaled_image_backbone import ScaledImageBackbone
from rezsl.backbones.small_resnet import small_resnet

__all__ = ["Backbone", "FeatureScaler", "ImageBackbone", "ScaledImageBackbone", "pretrained", "small_resnet"]
