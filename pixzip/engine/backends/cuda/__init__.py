"""The wavefront where launching an operation costs more than running it: whole steps without the host.

`pixzip.engine.backends.torch.wavefront` asks the host for every symbol.  Here a step has the same shapes whatever it is
the step of, reads its number from a tensor, and decodes its own symbols, so a GPU can be given many steps at once: as a
captured graph (`graph`) of tensor operations (`step`), or as one Triton kernel (`triton.kernel`).  All of it runs on a
CPU too, which is where the tests hold it against the other forms.
"""
