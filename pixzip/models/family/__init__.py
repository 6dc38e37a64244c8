"""The PixelRNN family: six densities, each a network written once and run on whole images or by fronts."""
