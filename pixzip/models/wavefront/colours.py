"""Colours seen: constants of the part of the light stage that learns which colours an image has.

Images that were decoded from JPEG or PhotoYCC have few of the possible colours, but a mixture of logistics is smooth.
Once the first two channels of a pixel are known, the values of the third that occurred with them in earlier steps
share a probability of their own, and so do those that did not occur, but are on a lattice of colours (`lattices`) that
the encoder recognised.  `docs/format.md`, section 12.3, specifies it.
"""

#: Least number of pixels of an image for which colours are remembered, 2 MiB.
LEAST_PIXELS = 1 << 12
#: Largest number of values that occurred, above which a pixel's frequencies stay as they are; and with a lattice, of
#: those that occurred or are on it.
MOST_VALUES, MOST_WITH_LATTICE = 64, 96
#: Classes of the odds of values that occurred, in half octaves.
CLASSES = 48
#: Uses of a class above which its counts are halved.
LIMIT = 1024
#: A class begins as if its mixtures had been right this many times.
PRIOR = 4
#: Least share, of 2^16, of the values that occurred and of the others.
LEAST_SHARE = 16
