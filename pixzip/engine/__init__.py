"""Models and entropy coders -> payloads, on any device.  Nothing here knows tiles or files."""
