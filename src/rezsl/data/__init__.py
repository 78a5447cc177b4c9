"""From files to a checked :class:`Benchmark`, and from a benchmark to batches.

Each data set is one file of this package, whose loader registers itself in :data:`READERS` when the file is imported.
"""

from typing import TYPE_CHECKING

from rezsl.data._batches import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.data._benchmark import (
    Benchmark,
    RegionOrigin,
    Split,
    benchmark_checksums,
    benchmark_fingerprint,
    identify_inputs,
)
from rezsl.data._data_files import FEATURE_SUFFIXES, is_feature_file, read_feature_rows
from rezsl.data._folder import SPLIT_NAMES, ImageRow
from rezsl.data._held_out import SelectionSplit, class_folds, selection_split
from rezsl.data._image_files import ImageFiles, find_images, notes_of, walk_images
from rezsl.data._images import (
    Crop,
    Framing,
    UnreadableImagesError,
    file_of,
    fit_images,
    natural_size,
    read_image,
    read_images,
)
from rezsl.data._input_formats import FeatureFormat, ImageFormat, gather_rows, readable_batches
from rezsl.data._inputs import Pictures, as_inputs
from rezsl.data._made_splits import MadeSplits, make_splits
from rezsl.data._pixel_values import ValueRange, check_value_range
from rezsl.data._readers import READERS, Count, FolderReport, Inventory, Reader, check_directory, reader
from rezsl.data._split_file import read_split_file
from rezsl.records import import_modules

if TYPE_CHECKING:  # for editors and type checkers; the loop below makes every registered loader importable
    from rezsl.data.apy import load_apy as load_apy
    from rezsl.data.awa2 import load_awa2 as load_awa2
    from rezsl.data.cub import load_cub as load_cub
    from rezsl.data.digits import load_digits as load_digits
    from rezsl.data.flowers import load_flowers as load_flowers
    from rezsl.data.gtsrb import load_gtsrb as load_gtsrb
    from rezsl.data.hugging_face import load_hugging_face as load_hugging_face
    from rezsl.data.image_folder import load_image_folder as load_image_folder
    from rezsl.data.sun import load_sun as load_sun
    from rezsl.data.synthetic import load_synthetic as load_synthetic
    from rezsl.data.tar_shards import load_tar_shards as load_tar_shards
    from rezsl.data.xlsa17 import load_xlsa17 as load_xlsa17

__all__ = [
    "FEATURE_SUFFIXES",
    "READERS",
    "SPLIT_NAMES",
    "BatchSampler",
    "Benchmark",
    "Count",
    "Crop",
    "EpisodicBatches",
    "FeatureFormat",
    "FolderReport",
    "Framing",
    "ImageFiles",
    "ImageFormat",
    "ImageRow",
    "Inventory",
    "MadeSplits",
    "Pictures",
    "Reader",
    "RegionOrigin",
    "SelectionSplit",
    "ShuffledBatches",
    "Split",
    "UnreadableImagesError",
    "ValueRange",
    "as_inputs",
    "benchmark_checksums",
    "benchmark_fingerprint",
    "check_directory",
    "check_value_range",
    "class_folds",
    "file_of",
    "find_images",
    "fit_images",
    "gather_rows",
    "identify_inputs",
    "is_feature_file",
    "make_splits",
    "natural_size",
    "notes_of",
    "read_feature_rows",
    "read_image",
    "read_images",
    "read_split_file",
    "readable_batches",
    "reader",
    "selection_split",
    "walk_images",
]

import_modules(__name__)
_loaders = {registered.load.__name__: registered.load for registered in READERS.values()}
globals().update(_loaders)
__all__.extend(sorted(_loaders))
