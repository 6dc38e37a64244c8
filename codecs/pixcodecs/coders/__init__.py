"""Entropy coders: symbols and their frequencies -> bytes, and back."""
