"""Slow float64 loops for every formula; no module here imports the package under test."""
