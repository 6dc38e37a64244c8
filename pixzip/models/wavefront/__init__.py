"""The wavefront PixelCNN: the network that is trained, its integer weights, and the reference that specifies them."""
