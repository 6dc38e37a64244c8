"""JPEG files of given coefficients, to compare decoders: baseline, with codes of equal lengths [1].

[1] ITU-T Recommendation T.81, annexes B and F.
"""

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pixcodecs.jpeg.layout import SAMPLINGS
from pixcodecs.jpeg.tables import ZIGZAG

#: Symbols of DC (a size) and of AC (a run and a size), whose codes have 4 and 8 bits.
_DC = bytes(range(12))
_AC = bytes([0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))])


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


class _Bits:
    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, value: int, size: int) -> None:
        if size:
            self.text.append(f"{value:0{size}b}")

    def number(self, value: int, size: int) -> None:
        """The low bits of a coefficient of this size."""
        self.put(value if value > 0 else value + (1 << size) - 1, size)

    def finish(self) -> bytes:
        bits = "".join(self.text)
        bits += "1" * (-len(bits) % 8)
        data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        return data.replace(b"\xff", b"\xff\0")


def _block(bits: _Bits, block: NDArray[np.int16], before: int) -> int:
    """Code a block; return its DC."""
    values = [int(v) for v in block[ZIGZAG]]
    size = abs(values[0] - before).bit_length()
    bits.put(_DC.index(size), 4)
    bits.number(values[0] - before, size)
    run = 0
    last = max((i for i in range(64) if values[i]), default=0)
    for value in values[1 : last + 1]:
        if not value:
            run += 1
            continue
        for _ in range(run // 16):
            bits.put(_AC.index(0xF0), 8)
        size = abs(value).bit_length()
        bits.put(_AC.index(run % 16 << 4 | size), 8)
        bits.number(value, size)
        run = 0
    if last < 63:
        bits.put(_AC.index(0), 8)
    return values[0]


def jpeg_of(
    planes: list[NDArray[np.int16]], tables: list[NDArray[np.int64]], sampling: int, height: int, width: int
) -> bytes:
    """A file of coefficients.

    Args:
        planes: (rows, columns, 64) of luma alone, or of luma, Cb and Cr, AC of at most 10 bits; blocks that are missing
            in the last MCUs repeat the last ones.
        tables: (64,) of luma, and of chroma.
        sampling: index in `SAMPLINGS`.
    """
    sv, sh = SAMPLINGS[sampling]
    out = b"\xff\xd8"
    for i, table in enumerate(tables):
        out += _segment(0xDB, bytes([i]) + table[ZIGZAG].astype(np.uint8).tobytes())
    factors = [(sv, sh), (1, 1), (1, 1)][: len(planes)]
    parts = b"".join(bytes([i + 1, h << 4 | v, min(i, 1)]) for i, (v, h) in enumerate(factors))
    out += _segment(0xC0, struct.pack(">BHHB", 8, height, width, len(planes)) + parts)
    out += _segment(0xC4, b"\0" + bytes([0, 0, 0, len(_DC), *[0] * 12]) + _DC)
    out += _segment(0xC4, b"\x10" + bytes([0] * 7 + [len(_AC)] + [0] * 8) + _AC)
    out += _segment(0xDA, bytes([len(planes)]) + b"".join(bytes([i + 1, 0]) for i in range(len(planes))) + b"\0\x3f\0")
    bits, before = _Bits(), [0] * len(planes)
    if len(planes) == 1:
        factors = [(1, 1)]
        sv = sh = 1
    for my in range(-(-height // (8 * sv))):
        for mx in range(-(-width // (8 * sh))):
            for i, (v, h) in enumerate(factors):
                rows, columns = planes[i].shape[:2]
                for y in range(my * v, my * v + v):
                    for x in range(mx * h, mx * h + h):
                        block = planes[i][min(y, rows - 1), min(x, columns - 1)]
                        before[i] = _block(bits, block, before[i])
    return out + bits.finish() + b"\xff\xd9"


def libjpeg(data: bytes) -> NDArray[np.uint8]:
    """(H, W, C) pixels by Pillow's libjpeg-turbo."""
    return np.atleast_3d(np.asarray(Image.open(io.BytesIO(data))))


def decoded_jpeg(
    samples: NDArray[np.uint8], quality: int, subsampling: int = 0, **options: object
) -> NDArray[np.uint8]:  # fmt: skip
    """(H, W, C) pixels as libjpeg-turbo gives them back.

    Args:
        samples: (H, W, C), C = 1 or 3.
        subsampling: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        options: others of Pillow's JPEG writer.
    """
    out, image = io.BytesIO(), Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if samples.shape[2] == 3:
        options["subsampling"] = subsampling
    image.save(out, "JPEG", quality=quality, **options)
    return libjpeg(out.getvalue())
