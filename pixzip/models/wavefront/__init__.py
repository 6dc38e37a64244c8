"""The wavefront PixelCNN: the trained network, its integer weights, and the reference that specifies their use."""
