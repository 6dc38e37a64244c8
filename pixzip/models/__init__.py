"""Densities: models that give every sub-pixel a probability.  This package knows no engines, tiles or `.pxz` files."""
