"""Files that rebuild another one at the most cost for their size: records of originals, JPEGs inside and kept JPEGs."""

import io
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, Samples
from pixcodecs.container.image import Extra, Layout
from pixcodecs.jpeg import block as jpeg
from pixcodecs.jpeg import head as jpeg_head
from pixcodecs.jpeg.layout import Layout as Grid
from pixcodecs.jpeg.tables import standard
from pixcodecs.primitives import deflate, varint

from pixzip.codec import as_picture, costs, kept, webp_png
from pixzip.originals import Family, Record, deflaters, patch, png_recipe
from pixzip.originals.deflaters import Spec
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.gif import GifData
from pixzip.originals.imitations import Imitation
from pixzip.originals.png_recipe import Recipe
from pixzip.originals.writers import WRITERS
from tests.helpers.costly import LARGEST, Block, image

#: Units of work that rebuilding may take by default, where decoding takes none.
_MOST_WORK = 50 / 5e-8
#: Rows after which noise repeats: beyond the window of deflate.
_ROWS = 16
_MOST_SAMPLES = 1 << 26


def _noise(side: int) -> tuple[Samples, bytes]:
    """Rows of two values, which deflate searches longest, and their block, which WebP makes small."""
    rows = np.random.default_rng(0).integers(0, 2, (_ROWS, side, 1), np.uint8)
    samples = np.ascontiguousarray(np.tile(rows, (-(-side // _ROWS), 1, 1))[:side])
    return samples, webp_png.webp_block(samples, webp_png.WebpEffort.LEAST)


def _recorded(samples: Samples, tiles: list[Block], record: Record, side: tuple[int, int] | None = None) -> bytes:
    body = record.pack()
    extras = deflate(bytes([Extra.ORIGINAL]) + varint(len(body)) + body)
    height, width, _ = samples.shape
    return image(width, height, tiles, layout=Layout.GREY, side=side, extras=extras)


def _of_noise(side: int, family: Family, recipe: bytes) -> bytes:
    samples, block = _noise(side)
    record = Record(family, 2 * samples.nbytes, bytes(32), recipe)
    return _recorded(samples, [Block(block, zlib.crc32(samples.tobytes()))], record)


def _png(side: int, spec: Spec, work: float) -> bytes:
    """A record of a PNG by an encoder, of as many pixels as it is given time for."""
    if spec.wants_all:
        side = min(side, int((work / spec.worst_cost) ** 0.5) - 1)
    chunks = bytes([png_recipe.HEADER, png_recipe.SAMPLES, png_recipe.END])
    recipe = Recipe(False, b"\x78\xda", spec, 0, bytes(side), b"", b"", chunks, b"")
    return _of_noise(side, Family.PNG, recipe.pack())


def _written(side: int, family: Family, writer: int, work: float) -> bytes:
    side = min(side, int((work / WRITERS[writer].worst_cost) ** 0.5) - 1)
    return _of_noise(side, family, Imitation(writer).pack() + patch.make(b"", b""))


def _gif(side: int, work: float) -> bytes:
    """A record of a GIF that clears its table as often as there are pixels."""
    form = GifData(False, 8, 255, ((0, 1),))
    frame = as_picture(np.zeros((1, 1), np.uint8)).frame
    one = form.work(frame)
    side = min(side, int((work / one) ** 0.5) - 1)
    recipe = Imitation(GifData(False, 8, 255, ((0, side * side),))).pack() + patch.make(b"", b"")
    return _of_noise(side, Family.GIF, recipe)


def _pieces(side: int) -> bytes:
    """A record of a large TIFF of strips of one row, each by libtiff, and of as many pieces as there may be."""
    form = Form(Flag(0), 8, height=1, coding=Coding.LIBTIFF_LZW)
    count = min(1 << 20, side * side // 8)
    script = varint(count) + b"\0\0\1" * count
    recipe = b"\4" + Imitation(form).pack()[1:] + varint(len(script)) + patch.make(script, b"")
    return _of_noise(side, Family.TIFF, recipe)


def _patched(side: int) -> bytes:
    """A record whose imitation and original are as large as they may be."""
    form, half = Form(Flag(0), 16), side // 2
    made = bytes(4 * side * side)
    record = Record(Family.BMP, len(made), bytes(32), Imitation(form).pack() + patch.make(made, b""))
    tile = Block(bytes([Kind.CONSTANT, 0]), zlib.crc32(bytes(side * half)))
    return _recorded(np.broadcast_to(np.uint8(0), (side, side, 1)), [tile] * 2, record, (side, half))


def _jpeg(side: int, channels: int, coefficient: int) -> bytes:
    """A block of kind 14 of equal coefficients of all frequencies."""
    tables = (standard(100, False), standard(100, True))[: min(2, channels)]
    grid = Grid(0, False, 0, 0, False, False, tables)

    def body(side: int) -> tuple[bytes, Samples]:
        planes = [np.full((*size, 64), coefficient, np.int16) for size in grid.blocks(side, side)]
        samples = jpeg.decoded(grid, planes, (side, side, channels))
        return jpeg.encode(grid, planes, samples)[0], samples

    small = 64
    cost_ns = jpeg_head.cost_ns(body(small)[0], (small, small, channels), 8)
    most = int((0.95 * costs.SMALL_NS / (cost_ns / small**2)) ** 0.5)
    found, samples = body(min(side, most))
    block = Block(blocks.foreign(Kind.JPEG, found), zlib.crc32(samples.tobytes()))
    layout = Layout.RGB if channels == 3 else Layout.GREY
    return image(samples.shape[1], samples.shape[0], [block], layout=layout)


def _kept(width: int, height: int) -> bytes:
    """A JPEG of equal pixels in several scans."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 50)).save(out, "JPEG", progressive=True)
    return kept.keep(out.getvalue())


def cases(size: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, maker) of the worst files of at most about `size` bytes."""
    scale, work = (size / (1 << 20)) ** 0.5, _MOST_WORK * size / (1 << 20)
    width, height = (max(64, int(n * scale)) for n in LARGEST)
    side = max(32, int(5792 * scale))  # a tile has at most 2^25 pixels
    for kind, level, memory in (
        (deflaters.Kind.ZLIB, 9, 8), (deflaters.Kind.ZLIB_NG, 9, 8), (deflaters.Kind.ZLIB_FAR, 9, 1),
        (deflaters.Kind.LIBDEFLATE, 12, 0), (deflaters.Kind.ZOPFLI, 0, 0),
    ):  # fmt: skip
        spec = Spec(kind, level, 0, memory, 15 if memory else 0)
        yield f"original by {kind.name}", lambda s=spec: _png(side, s, work)  # type: ignore[misc]
    for name, family, writer in (
        ("GIF", Family.GIF, 15),
        ("WebP", Family.WEBP, 10),
        ("WebP, slow", Family.WEBP, 11),
        ("WebP, method 5", Family.WEBP, 21),
    ):
        yield f"original by a library, {name}", lambda f=family, w=writer: _written(side, f, w, work)  # type: ignore[misc]
    yield "original of a GIF, cleared at every pixel", lambda: _gif(side, work)
    yield "original by pieces, of strips of a row", lambda: _pieces(side)
    yield "original by a patch", lambda: _patched(max(32, int(_MOST_SAMPLES**0.5 * scale)))
    yield "JPEG inside, of equal pixels", lambda: _jpeg(side, 3, 0)
    yield "JPEG inside, of all frequencies", lambda: _jpeg(side, 1, 1)
    yield "kept JPEG of equal pixels", lambda: _kept(width, height)
