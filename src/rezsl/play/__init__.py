"""A page to play with a trained model: photos are recognised by a table of classes that a person changes."""

from rezsl.play._page import describe, render_page
from rezsl.play._playground import Playground
from rezsl.play._standalone import SavedPage, save_page

__all__ = ["Playground", "SavedPage", "describe", "render_page", "save_page"]
