"""Originals: what a `.pxz` file keeps besides the picture, so that the image file comes back byte for byte."""

from pixzip.originals.families import family_of, has_suffix, suffixes_of
from pixzip.originals.rebuild import make, rebuild
from pixzip.originals.record import Family, Reason, Record, not_kept, record_of, unpack
from pixzip.originals.source import RebuildError, Source, of_picture

__all__ = [
    "Family", "Reason", "RebuildError", "Record", "Source", "family_of", "has_suffix", "make", "not_kept",
    "of_picture", "rebuild", "record_of", "suffixes_of", "unpack",
]  # fmt: skip
