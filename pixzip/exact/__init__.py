"""Integer arithmetic: the same frequencies on every machine."""
