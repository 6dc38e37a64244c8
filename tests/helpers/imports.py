"""Packages that take long to import: a command that only answers does without them."""

HEAVY = {"numpy", "torch", "triton", "numba", "rich", "constriction", "safetensors", "imagecodecs", "tifffile"}
