"""Every installed lossless codec on somebody's own images: measured alike, compared, and shown on one page."""
