"""Files that are rebuilt from an imitation and a patch: all families but PNG.

The imitation is the picture's samples in the form that the file has of them, or what a library writes; before it comes
the picture's metadata, which the file has somewhere, too.  The patch adds the rest: heads, tables, what is unusual.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader

from pixzip.image.formats.metadata import from_chunks
from pixzip.image.picture import Frame, Layout, Samples
from pixzip.originals import forms, patch
from pixzip.originals.forms import Coding, Form
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import FEW_BYTES, Output, RebuildError, Source
from pixzip.originals.writers import WRITERS

#: Wire ids of imitations.
_FORM, _WRITER = 1, 2
#: Least work of writers, in units of zlib's level 6 for a byte.
_LEAST_WORK = 1 << 21
#: Bytes of a probe, and the places in an imitation from which probes are taken, in eighths.
_PROBE_BYTES, _PROBES = 24, (1, 3, 5, 7)
#: Parts of a library's file that must be in the original, of these probes.
_HITS = 3


class Imitation(NamedTuple):
    """How an imitation is made: a form of the samples, or the number of a writer."""

    how: Form | int

    def pack(self) -> bytes:
        """The wire form."""
        if isinstance(self.how, int):
            return bytes([_WRITER, self.how])
        return bytes([_FORM]) + self.how.pack()

    def check(self, frame: Frame, most_bytes: int) -> None:
        """
        Raises:
            BitstreamError: see `forms.check`.
        """
        if isinstance(self.how, Form):
            forms.check(self.how, frame, most_bytes)

    @property
    def is_exact(self) -> bool:
        """Whether it is the same with every version of every library."""
        return isinstance(self.how, Form) and self.how.coding in (Coding.PLAIN, Coding.TEXT)

    @property
    def cost(self) -> int:
        """Work a pixel to make it, in units of zlib's level 6 for a byte, roughly."""
        if isinstance(self.how, int):
            return WRITERS[self.how].cost
        return 8 * int(self.how.spec.cost) if self.how.spec and self.how.spec.wants_all else 0  # 4 samples of 16 bits

    @property
    def worst_cost(self) -> int:
        """The same of the pictures that take longest."""
        if isinstance(self.how, int):
            return WRITERS[self.how].worst_cost
        return 8 * int(self.how.spec.worst_cost) if self.how.spec and self.how.spec.wants_all else 0

    def make(self, samples: Samples, frame: Frame, check: Callable[[], object] = bool) -> Iterator[bytes]:
        """Yield the parts of the imitation.

        Args:
            check: raises an error if the time is spent.
        """
        if isinstance(self.how, int):
            yield WRITERS[self.how].write(samples, frame)
            return
        for segment, rows in forms.segments(self.how, samples, frame.depth):
            yield forms.coded(self.how, segment, rows, check)


def trials(
    file: BinaryIO, source: Source, imitations: Iterable[Imitation], thoroughness: int
) -> Iterator[Trial | Reason]:
    """Yield a recipe by the first imitation that resembles the original.

    Args:
        imitations: the likeliest first.
        thoroughness: work of writers, in units of the size of the samples.
    """
    file.seek(0)
    original, samples, frame = file.read(), source.samples(), source.frame
    if samples.nbytes > FEW_BYTES:
        yield Reason.LARGE
        return
    left = max(_LEAST_WORK, 2 * thoroughness * samples.size)
    for imitation in imitations:
        left -= imitation.cost * frame.width * frame.height
        if left < 0:
            break
        try:
            imitation.check(frame, 8 * len(original) + (1 << 20))
            made = b"".join(imitation.make(samples, frame))
        except Exception:  # noqa: BLE001 (a library that does not write such pictures)
            continue
        if not _resembles(original, made):
            continue
        yield Trial(imitation.pack() + patch.make(original, _known(frame) + made))
    yield Reason.FORM


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
    imitation = _read(reader)
    frame, parts, size = source.frame, [_known(source.frame)], 0
    samples_bytes = frame.width * frame.height * frame.layout.channels * frame.dtype.itemsize
    if samples_bytes > FEW_BYTES:
        raise BitstreamError(f"original has {samples_bytes} bytes of samples, expected at most {FEW_BYTES} for a patch")
    imitation.check(frame, out.most_bytes)
    out.expect(imitation.worst_cost * frame.width * frame.height)
    for part in imitation.make(source.samples(), frame, out.check_time):
        out.check_time()
        parts.append(part)
        size += len(part)
        if size > out.most_bytes:
            raise BitstreamError(f"record of the original damaged: its imitation has more than {out.most_bytes} bytes")
    made = b"".join(parts)
    parts.clear()  # a second copy would take more memory than a file may
    try:
        for piece in patch.apply(reader.rest(), made, out.left):
            out.write(piece)
    except BitstreamError as e:
        if imitation.is_exact:
            raise
        raise RebuildError(str(e)) from None


def _read(reader: Reader) -> Imitation:
    kind = reader.byte("imitation of the original")
    if kind == _FORM:
        return Imitation(forms.read(reader))
    number = reader.byte("writer of the original")
    if kind != _WRITER or number not in WRITERS:
        raise BitstreamError(f"imitation {kind}, {number} of the original is unknown to this version")
    return Imitation(number)
