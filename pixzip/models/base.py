"""What every density is to engines and files, whatever its architecture."""

from typing import Protocol


class Model(Protocol):
    """One model, exactly: integer weights that were checked.

    Attributes:
        architecture: wire name, a key of `registry.ARCHITECTURES`.
        digest: SHA-256 of everything that decides a frequency; `model_id` is how it begins, and what a file names.
        known_answer: hex SHA-256 of the frequencies of a fixed pattern, or "" before it is known.
        notes: free text about training, no part of the digest.
        channels: of the images that it codes, 1 or 3.
        order: the image's channels in coding order, such as (1, 0, 2) for G, R, B.
        levels: values of a sub-pixel, 256 or 2.
        max_depth: the most bits of a sample.
        largest_tile: the longest side of a tile; None for no limit.
        coders: names of the entropy coders that it works with; None for all.
        multiply_adds: of a pixel.
    """

    @property
    def architecture(self) -> str: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def model_id(self) -> bytes: ...
    @property
    def known_answer(self) -> str: ...
    @property
    def notes(self) -> str: ...
    @property
    def channels(self) -> int: ...
    @property
    def order(self) -> tuple[int, ...]: ...
    @property
    def levels(self) -> int: ...
    @property
    def max_depth(self) -> int: ...
    @property
    def largest_tile(self) -> int | None: ...
    @property
    def coders(self) -> frozenset[str] | None: ...
    @property
    def multiply_adds(self) -> int: ...

    def to_bytes(self) -> bytes:
        """The weights file."""
