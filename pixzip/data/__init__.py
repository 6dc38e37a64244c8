"""Data sets in the forms in which they are published."""
