"""The bytes of a file as parsers see them: `bytes`, or an object that reads the parts that are sliced."""

from typing import Protocol


class Buffer(Protocol):
    """`bytes`, an `mmap`, or any object with a length whose slices are `bytes`."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...
