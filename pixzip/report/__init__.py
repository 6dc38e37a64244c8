"""Compare all installed lossless codecs on the user's images: equal measurements, shown on one page."""
