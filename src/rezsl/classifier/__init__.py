"""A trained model: what it predicts, why, and how it is saved and loaded."""

from rezsl.classifier.explanation import Explanation, explain
from rezsl.classifier.region_images import model_of_images
from rezsl.classifier.saved_model import load_model, save_model
from rezsl.classifier.zero_shot_classifier import Ranked, ZeroShotClassifier

__all__ = [
    "Explanation",
    "Ranked",
    "ZeroShotClassifier",
    "explain",
    "load_model",
    "model_of_images",
    "save_model",
]
