"""The torch-free half of pixzip: frequencies in, bytes out, and the container around them."""
