"""Image files <-> pictures, exactly.

Every format is read and written by a library that keeps it as it is: the file's own bits a sample, its
palette in its own order, its metadata.  What a library or a picture would change is refused, by name.
"""

from pixzip.image.loaded import Loaded
from pixzip.image.read import load
from pixzip.image.write import check_suffix, lost, write

__all__ = ["Loaded", "check_suffix", "load", "lost", "write"]
