"""Tensor operations: they run wherever PyTorch does, and the other backends are tested against them."""
