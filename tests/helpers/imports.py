"""Packages that are slow to import, which help and completion must not import."""

HEAVY = {"numpy", "torch", "triton", "numba", "rich", "constriction", "safetensors", "imagecodecs", "tifffile"}
