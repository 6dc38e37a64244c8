"""Other libraries' interfaces: Pillow, and chunked arrays."""
