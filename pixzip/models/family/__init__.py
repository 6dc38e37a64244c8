"""The PixelRNN family: six densities, each a network that is written once and run whole or by fronts."""
