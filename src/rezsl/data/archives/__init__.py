"""The official archives of the field's data sets, as they unpack, to benchmarks of images."""

from rezsl.data.archives.apy import load_apy
from rezsl.data.archives.awa2 import load_awa2
from rezsl.data.archives.cub import load_cub
from rezsl.data.archives.flowers import load_flowers
from rezsl.data.archives.gtsrb import load_gtsrb
from rezsl.data.archives.inventory import Count, Inventory, inspect_directory
from rezsl.data.archives.sun import load_sun

__all__ = [
    "Count",
    "Inventory",
    "inspect_directory",
    "load_apy",
    "load_awa2",
    "load_cub",
    "load_flowers",
    "load_gtsrb",
    "load_sun",
]
