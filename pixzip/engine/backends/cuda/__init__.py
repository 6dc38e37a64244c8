"""The wavefront for devices on which a launch costs more than the operation: whole steps without the host.

`pixzip.engine.backends.torch.wavefront` asks the host for every symbol.  Here all steps have the same shapes, and a
step reads its number from a tensor and decodes its own symbols.  So a GPU can run many steps at once: as a captured
graph (`graph`) of tensor operations (`step`), or as one Triton kernel (`triton.kernel`).  Both forms also run on a
CPU, where the tests compare them with the other backends.
"""
