"""Make the record of an original, and rebuild the original from it."""

import io
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.image.formats.base import one_error
from pixzip.originals.families import FAMILIES, family_of
from pixzip.originals.record import Family, Reason, Record, not_kept
from pixzip.originals.source import Clock, Output, RebuildError, Source, check_digest, check_size, digest


def make(original: BinaryIO, source: Source, thoroughness: int = 2, scratch: BinaryIO | None = None) -> Record:
    """The record of an original, after it was rebuilt from its picture and compared.

    Args:
        original: the image file, which is read and sought.
        source: the picture that it was read to.
        thoroughness: work of the search for encoders, in units of the size of the samples.
        scratch: a file for the rebuilt original; None for memory.
    Returns:
        A record without a recipe, which says why, if the original does not come back.
    """
    family = family_of(original)
    if family is Family.NONE:
        return not_kept(Reason.FORM)
    own = FAMILIES[family]
    if source.is_large and not own.by_rows:
        return not_kept(Reason.LARGE)
    size, sha256 = digest(original)
    why = Reason.FORM
    try:
        with one_error("rebuilt", PixzipError):
            for trial in own.recipes(original, source, thoroughness):
                if isinstance(trial, Reason):
                    why = trial
                    continue
                record = Record(family, size, sha256, trial.recipe, content_bytes=trial.content_bytes)
                clock = Clock(None)
                agreed = _agreed(record, source, original, scratch, clock)
                if agreed == size:
                    return replace(record, rebuild_s=clock.trusted_s)
                trial.learn(agreed)
    except PixzipError:  # a form of the format that was not expected
        why = Reason.FORM
    return not_kept(why)


def _agreed(record: Record, source: Source, original: BinaryIO, scratch: BinaryIO | None, clock: Clock) -> int:
    """The bytes of the original that come back before the first that is wrong, or a few less."""
    out = io.BytesIO() if scratch is None else scratch
    out.seek(0)
    out.truncate()
    trial = Output(out, record.size_bytes, clock, original)
    try:
        _rebuild(record, source, trial)
        check_digest(out, record.size_bytes, record.sha256)
    except (RebuildError, BitstreamError):
        return min(trial.agreed, record.size_bytes - 1)
    return record.size_bytes


def rebuild(record: Record, source: Source, out: BinaryIO, seconds: float | None = None) -> None:
    """Write an original.

    Args:
        record: a record of a family that this version knows.
        source: the decoded picture.
        out: an empty file that can be sought and read.
        seconds: most processor time; None lifts the limit.
    Raises:
        BitstreamError: the record is damaged or hostile.
        RebuildError: other bytes come out, because an encoder is of another version than where the record was made.
        OSError: the file cannot be written.
    """
    if record.family not in FAMILIES:
        raise ValueError("the record is none of an original that is kept")
    _rebuild(record, source, Output(out, record.size_bytes, seconds))
    check_digest(out, record.size_bytes, record.sha256)


def _rebuild(record: Record, source: Source, out: Output) -> None:
    check_size(record.size_bytes, source.frame, len(record.recipe))
    upward = source.upward and partial(out.clock.aside, source.upward)
    source = replace(source, parts=partial(out.clock.aside, source.parts), upward=upward)
    with one_error("rebuilt", PixzipError, OSError):
        FAMILIES[record.family].write(record.recipe, source, out)
