"""From images or features to regions: backbones, their extraction, and stores of regions on disk."""

from rezsl.regions.backbone import Backbone
from rezsl.regions.extraction import extract_regions
from rezsl.regions.feature_scaler import FeatureScaler
from rezsl.regions.image_backbone import ImageBackbone
from rezsl.regions.pretrained import pretrained
from rezsl.regions.scaled_image_backbone import ScaledImageBackbone
from rezsl.regions.small_resnet import small_resnet
from rezsl.regions.store import load_region_store

__all__ = [
    "Backbone",
    "FeatureScaler",
    "ImageBackbone",
    "ScaledImageBackbone",
    "extract_regions",
    "load_region_store",
    "pretrained",
    "small_resnet",
]
