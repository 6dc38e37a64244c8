"""The torch-free half of pixzip: entropy coders, which turn frequencies into bytes, and the container."""
