"""Code images to payloads with models and entropy coders, on any device.  This package knows no tiles and no files."""
