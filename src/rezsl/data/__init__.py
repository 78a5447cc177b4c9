"""From files to a checked :class:`Benchmark`, and from a benchmark to batches."""

from rezsl.data.apy import load_apy
from rezsl.data.awa2 import load_awa2
from rezsl.data.benchmark import Benchmark
from rezsl.data.cub import load_cub
from rezsl.data.digits import load_digits
from rezsl.data.feature_rows import FEATURE_SUFFIXES, read_feature_rows
from rezsl.data.flowers import load_flowers
from rezsl.data.folder_report import FolderReport, report_folder
from rezsl.data.gtsrb import load_gtsrb
from rezsl.data.held_out import SelectionSplit, selection_split
from rezsl.data.image_folder import load_image_folder
from rezsl.data.images import Crop, find_images, fit_images, natural_size, read_image, read_images
from rezsl.data.inventory import Count, Inventory, inspect_directory
from rezsl.data.make_splits import make_splits
from rezsl.data.region_origin import RegionOrigin
from rezsl.data.samplers import BatchSampler, EpisodicBatches, ShuffledBatches
from rezsl.data.split import Split
from rezsl.data.split_rows import ImageRow, MadeSplits
from rezsl.data.sun import load_sun
from rezsl.data.synthetic import load_synthetic
from rezsl.data.xlsa17 import load_xlsa17, read_split_file

__all__ = [
    "FEATURE_SUFFIXES",
    "BatchSampler",
    "Benchmark",
    "Count",
    "Crop",
    "EpisodicBatches",
    "FolderReport",
    "ImageRow",
    "Inventory",
    "MadeSplits",
    "RegionOrigin",
    "SelectionSplit",
    "ShuffledBatches",
    "Split",
    "find_images",
    "fit_images",
    "inspect_directory",
    "load_apy",
    "load_awa2",
    "load_cub",
    "load_digits",
    "load_flowers",
    "load_gtsrb",
    "load_image_folder",
    "load_sun",
    "load_synthetic",
    "load_xlsa17",
    "make_splits",
    "natural_size",
    "read_feature_rows",
    "read_image",
    "read_images",
    "read_split_file",
    "report_folder",
    "selection_split",
]
