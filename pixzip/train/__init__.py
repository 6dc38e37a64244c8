"""Training: data, optimiser, loop."""
