"""Find out whether pixels came out of a JPEG decoder, and the coefficients that they came from.

Only encoders need this: whatever it finds, corrections make the pixels exact.  It computes in integers, and in
floating point of one order, so that it finds the same on every machine.
"""
