"""Tests of rezsl; each formula is checked against the slow loops in ``oracles``, which never import rezsl."""
