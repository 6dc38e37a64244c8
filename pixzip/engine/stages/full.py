"""The full stage: the light one, then logistic mixing of binary decisions and repetitions, for 8 bits a sample.

The compiled loop has a form of it, and `FullWavefront` one in tensor operations; see `models.wavefront.mixing`.
"""

from pixzip.engine.stages.base import Identity

FULL = Identity("full", number=2)
