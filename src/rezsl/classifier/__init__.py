"""The trained model: its predictions, their explanation, and its files."""

from rezsl.classifier._answers import Answer, Ranked, problem_of
from rezsl.classifier._classifier import ZeroShotClassifier
from rezsl.classifier._explanation import NEARLY_EQUAL, WEAK, Explanation, explain, explain_outputs
from rezsl.classifier._familiarity import Familiarity
from rezsl.classifier._files import load_model, model_of_images, on_cached_regions, save_model
from rezsl.classifier._hub import found_directory
from rezsl.classifier._maps import AttributeMaps, MapKind, attribute_maps

__all__ = [
    "NEARLY_EQUAL",
    "WEAK",
    "Answer",
    "AttributeMaps",
    "Explanation",
    "Familiarity",
    "MapKind",
    "Ranked",
    "ZeroShotClassifier",
    "attribute_maps",
    "explain",
    "explain_outputs",
    "found_directory",
    "load_model",
    "model_of_images",
    "on_cached_regions",
    "problem_of",
    "save_model",
]
