"""Deflate streams (RFC 1951): what their first block tells of the encoder, and an encoder that no package offers.

It is zlib's, of a build that takes matches of three bytes from any distance, which pngcrush is known for.
"""
