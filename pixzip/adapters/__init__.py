"""Adapters to the interfaces of other libraries: Pillow and chunked arrays."""
