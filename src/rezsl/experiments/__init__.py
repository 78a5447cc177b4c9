"""Experiments of many runs: searches for settings, and comparisons of methods over data sets and seeds."""
