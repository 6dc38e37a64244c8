"""The JPEG inside: pixels that a JPEG decoder made, as coefficients and corrections.  `docs/format.md`, section 17."""
