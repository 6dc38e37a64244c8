"""Tensor operations: they run wherever PyTorch runs, and the other backends are tested against them."""
