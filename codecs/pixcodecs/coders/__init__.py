"""Entropy coders: convert symbols with their frequencies to bytes and back."""
