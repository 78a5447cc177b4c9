"""Experiments of many runs: searches for settings, and comparisons of methods over data sets and seeds."""

from rezsl.errors import needs

with needs("experiments", "searches and comparisons"):
    import joblib  # noqa: F401 - the modules need it
    import jsonargparse  # noqa: F401 - the same
