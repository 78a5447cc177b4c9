"""From images or features to regions: backbones, their extraction, and stores of regions on disk.

Each backbone is one file of this package, whose builder registers itself in :data:`BACKBONES` when it is imported.
"""

from typing import TYPE_CHECKING

from rezsl.records import import_modules
from rezsl.regions._backbone import BACKBONES, Backbone, FeatureScaler, backbone_builder
from rezsl.regions._blocks import recomputed
from rezsl.regions._cache import cache_beside, cached_regions, find_cached_regions, user_cache
from rezsl.regions.extraction import extract_regions
from rezsl.regions.image_backbone import ImageBackbone, Pooling, ScaledImageBackbone
from rezsl.regions.store import (
    IRRELEVANT,
    RegionDtype,
    RegionManifest,
    is_region_store,
    load_region_store,
    load_store_backbone,
    read_manifest,
)

if TYPE_CHECKING:  # for type checkers and editors, which do not run the loop below
    from rezsl.regions.pretrained import pretrained as pretrained
    from rezsl.regions.small_resnet import small_resnet as small_resnet

__all__ = [
    "BACKBONES",
    "IRRELEVANT",
    "Backbone",
    "FeatureScaler",
    "ImageBackbone",
    "Pooling",
    "RegionDtype",
    "RegionManifest",
    "ScaledImageBackbone",
    "backbone_builder",
    "cache_beside",
    "cached_regions",
    "extract_regions",
    "find_cached_regions",
    "is_region_store",
    "load_region_store",
    "load_store_backbone",
    "read_manifest",
    "recomputed",
    "user_cache",
]

import_modules(__name__)
globals().update({builder.__name__: builder for builder in BACKBONES.values()})
__all__.extend(builder.__name__ for builder in BACKBONES.values())
