"""Originals of several pages or frames: a record for the whole file: `docs/format.md`, section 16.1.

The samples of every page become the *segments* that the file has of them: strips, zlib streams, LZW codes.  What is
between the segments is kept, with predictions of it as a dictionary.
"""

from pixzip.originals.pages.rebuild import make, rebuild

__all__ = ["make", "rebuild"]
