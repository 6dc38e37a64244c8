"""The full stage: the light one, then logistic mixing of binary decisions and repetitions, for 8 bits a sample.

Only the compiled loop has a form of it; see `models.wavefront.mixing`.
"""

from pixzip.engine.stages.base import Identity

FULL = Identity("full", number=2)
