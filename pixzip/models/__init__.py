"""Densities: what gives every sub-pixel a probability.  Nothing here knows an engine, a tile or a file."""
