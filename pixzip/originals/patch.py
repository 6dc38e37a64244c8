"""Patches: a file as Zstandard [1] codes it with an imitation of the file as its dictionary.

What the imitation has in common with the file costs next to nothing, wherever it is; the rest is compressed.

[1] RFC 8878; the dictionary is raw content, the frame has no magic number, no size and no checksum.
"""

import io
from collections.abc import Iterator

import zstandard
from pixcodecs.errors import BitstreamError

#: Bits of the tables that find matches: as many entries as the dictionary has bytes, within these.
_LEAST_BITS, _MOST_BITS = 12, 24
_LEAST_WINDOW, _MOST_WINDOW = 10, 30
_PIECE_BYTES = 1 << 20


def make(file: bytes, imitation: bytes, *, thorough: bool = False) -> bytes:
    """The patch that makes a file of its imitation.

    Args:
        thorough: spend more time for fewer bytes.
    """
    bits = min(max(_LEAST_BITS, len(imitation).bit_length()), _MOST_BITS)
    strategy, search, least = (zstandard.STRATEGY_BTULTRA2, 9, 3) if thorough else (zstandard.STRATEGY_GREEDY, 3, 5)
    parameters = zstandard.ZstdCompressionParameters(
        strategy=strategy, hash_log=bits, chain_log=bits, search_log=search, min_match=least,
        window_log=_window(len(file) + len(imitation)), write_content_size=0, write_checksum=0, write_dict_id=0,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    )  # fmt: skip
    return zstandard.ZstdCompressor(dict_data=_dictionary(imitation), compression_params=parameters).compress(file)


def apply(patch: bytes, imitation: bytes, size_bytes: int) -> Iterator[bytes]:
    """The inverse of `make`, in pieces, so that the file need not be in memory.

    Args:
        size_bytes: length of the file.
    Raises:
        BitstreamError: the patch is damaged, or the imitation is another one.
    """
    decompressor = zstandard.ZstdDecompressor(
        dict_data=_dictionary(imitation), max_window_size=1 << _window(size_bytes + len(imitation)),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    )  # fmt: skip
    left = size_bytes
    try:
        with decompressor.stream_reader(io.BytesIO(patch)) as reader:
            while piece := reader.read(min(_PIECE_BYTES, left + 1)):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
    except (zstandard.ZstdError, MemoryError) as e:
        raise BitstreamError(f"record of the original damaged: {e}") from None
    if left:
        what = "more" if left < 0 else "less"
        raise BitstreamError(f"record of the original damaged: its patch gives {what} than {size_bytes} bytes")


def _dictionary(imitation: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(imitation or b"\0", dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _window(size: int) -> int:
    return min(max(_LEAST_WINDOW, size.bit_length()), _MOST_WINDOW)
