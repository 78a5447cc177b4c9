"""Slow, obvious float64 versions of every formula; nothing here imports the package under test."""
