"""Files that are rebuilt from an imitation and a patch: all families but PNG.

The imitation is the picture's samples in the form that the file has of them, or what a library writes; before it comes
the picture's metadata, which the file has somewhere, too.  The patch adds the rest: heads, tables, what is unusual.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

from pixzip.image.formats.metadata import from_chunks
from pixzip.image.picture import Frame, Layout
from pixzip.originals import forms, gif, patch, pieces
from pixzip.originals.forms import Coding, Form
from pixzip.originals.gif import GifData
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import FEW_BYTES, Output, RebuildError, Source
from pixzip.originals.writers import WRITERS

#: Wire ids of imitations.
_FORM, _WRITER, _PIECES, _GIF = 1, 2, 4, 5
#: Bytes of samples from which on pieces are tried before a patch, which takes memory.
_MUCH_BYTES = 1 << 24
#: Least work of writers, and work for each sample by thoroughness, in units of zlib's level 6 for a byte.
_LEAST_WORK, _SAMPLE_WORK = 1 << 21, 5
#: Bytes of a probe, and the places in an imitation from which probes are taken, in eighths.
_PROBE_BYTES, _PROBES = 24, (1, 3, 5, 7)
#: Parts of a library's file that must be in the original, of these probes.
_HITS = 3


class Imitation(NamedTuple):
    """How an imitation is made: a form of the samples, the number of a writer, or the image data of a GIF."""

    how: Form | int | GifData

    def pack(self) -> bytes:
        """The wire form."""
        if isinstance(self.how, int):
            return bytes([_WRITER, self.how])
        return bytes([_FORM if isinstance(self.how, Form) else _GIF]) + self.how.pack()

    def check(self, frame: Frame, most_bytes: int) -> None:
        """
        Raises:
            BitstreamError: see `forms.check` and `GifData.check`.
        """
        if isinstance(self.how, Form):
            forms.check(self.how, frame, most_bytes)
        elif isinstance(self.how, GifData):
            self.how.check(frame)

    @property
    def is_exact(self) -> bool:
        """Whether it is the same with every version of every library."""
        if isinstance(self.how, Form):
            return self.how.coding in (Coding.PLAIN, Coding.TEXT)
        return isinstance(self.how, GifData)

    def work(self, frame: Frame) -> float:
        """Work to make it, in units of zlib's level 6 for a byte, roughly."""
        if isinstance(self.how, GifData):
            return self.how.work(frame)
        return self._cost * frame.width * frame.height

    def worst_work(self, frame: Frame) -> float:
        """The same of the pictures that take longest."""
        if isinstance(self.how, GifData):
            return self.how.work(frame)
        return self._worst_cost * frame.width * frame.height

    @property
    def _cost(self) -> int:
        if isinstance(self.how, int):
            return WRITERS[self.how].cost
        spec = isinstance(self.how, Form) and self.how.spec
        return 8 * int(spec.cost) if spec and spec.wants_all else 0  # 4 samples of 16 bits

    @property
    def _worst_cost(self) -> int:
        if isinstance(self.how, int):
            return WRITERS[self.how].worst_cost
        spec = isinstance(self.how, Form) and self.how.spec
        return 8 * int(spec.worst_cost) if spec and spec.wants_all else 0

    def make(self, source: Source, check: Callable[[], object] = bool) -> Iterator[bytes]:
        """Yield the parts of the imitation.

        Args:
            check: raises an error if the time is spent.
        """
        if isinstance(self.how, int):
            yield WRITERS[self.how].write(source.samples(), source.frame)
        elif isinstance(self.how, GifData):
            yield self.how.make(source.samples(), source.frame)
        else:
            for segment, rows in forms.segments(self.how, source):
                yield forms.coded(self.how, segment, rows, check)

    def resembles(self, original: bytes, made: bytes) -> bool:
        """Whether most of an imitation is in the original."""
        return self.how.is_in(original, made) if isinstance(self.how, GifData) else _resembles(original, made)


def trials(
    file: BinaryIO, source: Source, imitations: Iterable[Imitation], thoroughness: int, last: list[bytes] | None = None
) -> Iterator[Trial | Reason]:
    """Yield a recipe by the first imitation that resembles the original.

    Args:
        imitations: the likeliest first; they are drawn as they are tried.
        thoroughness: work of writers, in units of the size of the samples.
        last: is given the last imitation that was made, from which `imitations` may learn.
    """
    frame = source.frame
    if source.is_large or source.samples_bytes > _MUCH_BYTES:
        imitations = [*imitations]
        yield from _trials_by_pieces(file, source, imitations)
    if source.is_large or source.samples_bytes > FEW_BYTES:
        return
    file.seek(0)
    original = file.read()
    left = max(_LEAST_WORK, _SAMPLE_WORK * thoroughness * frame.width * frame.height * frame.layout.channels)
    for imitation in imitations:
        if imitation.work(frame) > left:
            continue
        left -= int(imitation.work(frame))
        try:
            imitation.check(frame, 8 * len(original) + (1 << 20))
            made = b"".join(imitation.make(source))
        except Exception:  # noqa: BLE001 (a library that does not write such pictures)
            continue
        if last is not None:
            last[:] = [made]
        if not imitation.resembles(original, made):
            continue
        yield Trial(imitation.pack() + patch.make(original, _known(frame) + made))
    yield Reason.FORM


def _trials_by_pieces(file: BinaryIO, source: Source, imitations: Iterable[Imitation]) -> Iterator[Trial | Reason]:
    """Yield a recipe of a large picture."""
    why = Reason.FORM
    for imitation in imitations:
        try:
            _check_pieces(imitation, source.frame)
        except BitstreamError:
            why = Reason.LARGE
            continue
        script = pieces.find(file, imitation.make(source))
        if script is not None:
            head = bytes([_PIECES]) + imitation.pack()[1:] + varint(len(script))
            yield Trial(head + patch.make(script, _known(source.frame)))
    yield why


def _check_pieces(imitation: Imitation, frame: Frame) -> None:
    """
    Raises:
        BitstreamError: the imitation cannot be made of a few rows at a time.
    """
    if not isinstance(imitation.how, Form):
        raise BitstreamError("original is of a library, which needs all samples at once")
    forms.check_parts(imitation.how, frame)


def _resembles(original: bytes, made: bytes) -> bool:
    """Whether most probes of an imitation are in the original."""
    places = [len(made) * eighth // 8 for eighth in _PROBES]
    return sum(made[at : at + _PROBE_BYTES] in original for at in places) >= _HITS


def _known(frame: Frame) -> bytes:
    """What the file may have of the picture besides samples, in several forms: the beginning of the dictionary."""
    embedded, _ = from_chunks(frame.metadata, ("icc", "exif", "xmp"))
    texts = [chunk.data for chunk in frame.metadata if chunk.type == b"tEXt"]
    if frame.layout is Layout.PALETTE:
        colours = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    else:
        colours = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3 if frame.layout is Layout.GREY else 0, 1)
    entries = np.pad(colours[:, ::-1], ((0, 0), (0, 1)))  # B, G, R, 0
    planes = np.repeat(colours.T, 2)  # 16 bits a colour
    tables = [colours.tobytes(), colours[:, ::-1].tobytes(), entries.tobytes(), planes.tobytes()]
    parts = [embedded.icc, embedded.exif, embedded.xmp, *texts, *tables]
    return b"".join([*parts, frame.transparency])


def write(data: bytes, source: Source, out: Output) -> None:
    """Write the file of a recipe.

    Raises:
        BitstreamError: the recipe is damaged.
    """
    reader = Reader(data)
    kind = reader.byte("imitation of the original")
    imitation = _read(kind, reader)
    imitation.check(source.frame, out.most_bytes)
    out.clock.expect(imitation.worst_work(source.frame))
    try:
        for piece in (_by_pieces if kind == _PIECES else _patched)(reader, imitation, source, out):
            out.write(piece)
    except BitstreamError as e:
        if imitation.is_exact:
            raise
        raise RebuildError(str(e)) from None


def _patched(reader: Reader, imitation: Imitation, source: Source, out: Output) -> Iterator[bytes]:
    size = source.samples_bytes
    if size > FEW_BYTES:
        raise BitstreamError(f"original has {size} bytes of samples, expected at most {FEW_BYTES} for a patch")
    parts = [_known(source.frame), *_bounded(imitation, source, out)]
    made = b"".join(parts)
    parts.clear()  # a second copy would take more memory than a file may
    yield from patch.apply(reader.rest(), made, out.left)


def _by_pieces(reader: Reader, imitation: Imitation, source: Source, out: Output) -> Iterator[bytes]:
    _check_pieces(imitation, source.frame)
    size = reader.varint("length of a script")
    if size > pieces.MOST_BYTES:
        raise BitstreamError(f"original has a script of {size} bytes, expected at most {pieces.MOST_BYTES}")
    script = b"".join(patch.apply(reader.rest(), _known(source.frame), size))
    yield from pieces.apply(script, _bounded(imitation, source, out), out.clock.check)


def _bounded(imitation: Imitation, source: Source, out: Output) -> Iterator[bytes]:
    """The parts of an imitation, within the bounds of time and size."""
    size = 0
    for part in imitation.make(source, out.clock.check):
        out.clock.check()
        yield part
        size += len(part)
        if size > out.most_bytes:
            raise BitstreamError(f"record of the original damaged: its imitation has more than {out.most_bytes} bytes")


def _read(kind: int, reader: Reader) -> Imitation:
    if kind in (_FORM, _PIECES):
        return Imitation(forms.read(reader))
    if kind == _GIF:
        return Imitation(gif.read(reader))
    number = reader.byte("writer of the original")
    if kind != _WRITER or number not in WRITERS:
        raise BitstreamError(f"imitation {kind}, {number} of the original is unknown to this version")
    return Imitation(number)
