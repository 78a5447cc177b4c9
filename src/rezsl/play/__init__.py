"""A page to play with a trained model: photos are recognised by a table of classes that a person changes."""

from rezsl.play._page import describe, render_page
from rezsl.play._playground import Playground

__all__ = ["Playground", "describe", "render_page"]
