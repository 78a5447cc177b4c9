"""The trained model: its predictions, their explanation, and its files."""

from rezsl.classifier._classifier import Ranked, ZeroShotClassifier
from rezsl.classifier._explanation import Explanation, explain
from rezsl.classifier._files import load_model, model_of_images, save_model

__all__ = [
    "Explanation",
    "Ranked",
    "ZeroShotClassifier",
    "explain",
    "load_model",
    "model_of_images",
    "save_model",
]
