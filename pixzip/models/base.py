"""The interface of every density to engines and files, whatever its architecture."""

from typing import Protocol


class Model(Protocol):
    """One exact model: checked integer weights.

    Attributes:
        architecture: wire name, a key of `registry.ARCHITECTURES`.
        digest: SHA-256 of everything that decides a frequency.
        model_id: first bytes of the digest, by which files name the model.
        known_answer: hex SHA-256 of the frequencies of a fixed pattern, or "" if not yet known.
        answers: all such digests by their names in the metadata.
        notes: free text about training, not part of the digest.
        channels: number of channels of its images, 1 or 3.
        order: the image's channels in coding order, e.g. (1, 0, 2) for G, R, B.
        levels: number of values of a sub-pixel, 256 or 2.
        max_depth: largest number of bits of a sample.
        largest_tile: longest side of a tile; None for no limit.
        coders: names of the supported entropy coders; None for all.
        adapts: whether stages can adapt it to an image.
        multiply_adds: number per pixel.
        layers: number of layers of the trunk; 0 where decoding time is not estimated.
        n_mix: number of components of the mixture; 0 likewise.
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
    def answers(self) -> dict[str, str]: ...
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
    def adapts(self) -> bool: ...
    @property
    def multiply_adds(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def n_mix(self) -> int: ...

    def to_bytes(self) -> bytes:
        """The weights file."""
