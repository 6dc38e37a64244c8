"""Allowed outcomes of damaged files: the exact picture or one of two errors, in little time and memory."""

import contextlib
import io
import json
import resource
import signal
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image
from pixcodecs.container import image as container
from pixcodecs.container import models, signature
from pixcodecs.container import names as name_list
from pixcodecs.container import stack as stacks
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip import codec, image
from pixzip.codec import describe, kept, original, pages_original
from pixzip.codec.carried import Carrying
from pixzip.codec.options import Options
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.codec.stack import Stack, decompress_stack
from pixzip.codec.tiles import Window
from pixzip.image.pages import SUFFIXES, Pages
from pixzip.image.picture import Picture
from pixzip.models import library
from pixzip.originals import RebuildError
from tests.helpers import golden, kept_mutations, mutations, weights_mutations
from tests.helpers.model_mutations import ModelFile
from tests.helpers.mutations import Mutation, Seed

#: Most processor seconds for one file.
LIMIT_S = 5.0
#: Share of weights files among the mutations.
WEIGHTS_SHARE = 0.02
#: Seconds after which decoding of a file is aborted.
GIVE_UP_S = 60.0
#: Most memory above that of the process at its start.
LIMIT_BYTES = 1 << 30
MODELS = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]


class Finding(Exception):  # noqa: N818 (it is no error of the harness)
    """An outcome that a decoder must never have."""


class _Hang(BaseException):
    """A timeout; not an Exception, so that no handler catches it."""


def weights_for(model_id: bytes) -> Any:
    return library.by_id(model_id, MODELS)


def decompress(data: bytes) -> Picture | Stack | Pages | bytes | ModelFile:
    if signature.is_model(data):
        return _model(data)
    if kept.is_kept(data):
        return kept.restore(data)
    if signature.is_pages(data):
        return decompress_pages(data, Options(model_by_id=weights_for))
    if stacks.is_stack(data):
        return decompress_stack(data, Options(model_by_id=weights_for))
    return codec.decompress([data], codec.Options(model_by_id=weights_for))[0]


def _model(data: bytes) -> ModelFile:
    """The model in a model file, after all checks."""
    codec.verify(data, Options(model_by_id=weights_for))
    model_id, packed = models.read_file(data)
    return ModelFile(Carrying({model_id: packed}, len(data)).load(None, weights_for)[model_id].digest)


def seeds() -> list[Seed]:
    return mutations.seeds(decompress)


def _compare(mutation: Mutation, found: Picture, region: Window, damaged: tuple[Window, ...] = ()) -> str:
    """The name of the outcome.

    Raises:
        Finding: these pixels should have been an error.
    """
    header = container.read_header(mutation.data)
    good = container.read_header(mutation.seed.data)
    whole = region == Window(0, 0, header.width, header.height)
    if _meaning(header) == _meaning(good):
        expected = mutation.seed.picture.samples.copy()
        for window in damaged:
            expected[window.slices] = 0
        if not np.array_equal(found.samples, expected[region.slices]):
            raise Finding("other pixels without an error")
        if whole and not damaged and found != mutation.seed.picture:
            raise Finding("another picture without an error")
        return "damaged tiles named" if damaged else "exact"
    if not mutation.header_forged and header.version > 1:
        raise Finding("another header without an error")
    if whole:  # the header differs: then it must be true
        for window, tile in zip((Window(*w) for w in header.windows), header.tiles, strict=True):
            part = found.samples[window.slices]
            if (
                window not in damaged
                and zlib.crc32(part.astype(part.dtype.newbyteorder("<")).tobytes()) != tile.samples_crc
            ):
                raise Finding("pixels that the header's checksum does not know")
    return "as its forged header says"


def _compare_stacks(mutation: Mutation, found: Stack) -> str:
    """`_compare` for stacks."""
    header, good = stacks.read_header(mutation.data), stacks.read_header(mutation.seed.data)
    if _stack_meaning(header) == _stack_meaning(good):
        expected = mutation.seed.picture
        if found.names != expected.names or not all(map(np.array_equal, found.images, expected.images)):
            raise Finding("other images without an error")
        return "exact"
    if not mutation.header_forged:
        raise Finding("another header without an error")
    if zlib.crc32(b"".join(image.tobytes() for image in found.images)) != header.samples_crc:
        raise Finding("pixels that the header's checksum does not know")
    if any(name_list.problem(name) for name in found.names):
        raise Finding("a name that leads elsewhere")
    return "as its forged header says"


def _compare_pages(mutation: Mutation, found: Pages) -> str:
    """`_compare` for pages."""
    expected = mutation.seed.picture
    if found == expected:
        return "exact"
    if not mutation.header_forged:
        raise Finding("other pages without an error")
    if any(page.picture not in [known.picture for known in expected.pages] for page in found.pages):
        raise Finding("a picture that no member had")
    try:
        image.write_pages(found, SUFFIXES[found.kind])
    except UnsupportedImageError:
        return "as its forged header says, and not written"
    except Exception as e:
        raise Finding(f"writing {found.kind.name}: {type(e).__name__}: {e}") from e
    return "as its forged header says"


def _compare_models(mutation: Mutation, found: ModelFile) -> str:
    """`_compare` for model files."""
    if found == mutation.seed.picture:
        return "exact"
    if not mutation.header_forged:
        raise Finding("another model without an error")
    if found.digest[:8] != models.read_file(mutation.data)[0]:
        raise Finding("a model that the header does not name")
    return "as its forged header says"


def _stack_meaning(header: stacks.StackHeader) -> tuple[object, ...]:
    return header.layout, header.depth, header.runs, header.names, header.samples_crc


def _meaning(header: container.Header) -> tuple[object, ...]:
    """Everything in a header about the picture."""
    crcs = tuple(t.samples_crc for t in header.tiles)
    sides = header.width, header.height, header.tile_width, header.tile_height
    extras = tuple(extra for extra in header.extras if extra[0] != container.Extra.MODEL)
    return (*sides, header.layout, header.depth, extras, crcs)


def _rebuilt(data: bytes) -> str:
    """Decode a file and rebuild its original, if it has a record of it."""
    options = codec.Options(model_by_id=weights_for)
    if signature.is_pages(data):
        pages = PagesOpening(data)
        return _outcome(pages, partial(pages_original.check, pages, decompress_pages(pages, options), options))
    opening = codec.Opening(data)
    (picture,) = codec.decompress([opening], options)
    return _outcome(opening, partial(original.check, opening, picture, options))


def _outcome(opening: codec.Opening | PagesOpening, check: Callable[[], None]) -> str:
    try:
        check()
    except RebuildError:
        return "another original refused"
    return "original" if opening.original and opening.original.is_kept else "no original"


#: Ways to read a file -> how often.
_WAYS = {"decompress": 14, "salvage": 3, "region": 2, "facts": 1, "Pillow": 2, "written": 2, "original": 4}


def _shown(data: bytes) -> str:
    """Open a file by Pillow, whose errors must be those that it documents, and load it, if its model is shipped."""
    try:
        with Image.open(io.BytesIO(data)) as shown:
            shown.load()
    except (OSError, Image.DecompressionBombError) as e:
        return f"Pillow: {type(e).__name__}"
    return "shown by Pillow"


def _write(picture: Picture, suffix: str) -> None:
    """Write an image file, or be refused in words."""
    try:
        image.write(picture, suffix)
    except UnsupportedImageError:
        return
    except Exception as e:
        raise Finding(f"writing {suffix}: {type(e).__name__}: {e}") from e


def attempt(rng: Random, mutation: Mutation, known: dict[bytes, Seed]) -> str:
    """Decode one file in one of several ways; return the name of the outcome.

    Raises:
        Finding: the outcome is not allowed.
    """
    mutation = mutation._replace(seed=known.get(mutation.data, mutation.seed))  # a splice can be another good file
    how = rng.choices([*_WAYS], [*_WAYS.values()])[0]
    region = Window(rng.randrange(20), rng.randrange(20), rng.randint(1, 20), rng.randint(1, 20))
    try:
        if how == "facts":
            facts = describe.facts(mutation.data)
            json.dumps(facts)
            list(describe.lines(facts))
            return "described"
        if how == "original" and not stacks.is_stack(mutation.data) and not signature.is_model(mutation.data):
            return _rebuilt(mutation.data)
        if how == "Pillow":
            return _shown(mutation.data)
        if kept.is_kept(mutation.data):
            return kept_mutations.attempt(how, mutation.data, mutation.seed.picture, region, Finding)
        if how in ("decompress", "written", "original"):
            found, damaged = decompress(mutation.data), ()
        else:
            found, damaged = codec.recover(
                mutation.data,
                codec.Options(model_by_id=weights_for),
                salvage=how == "salvage",
                region=region if how == "region" else None,
            )
    except BitstreamError:
        return "BitstreamError"
    except ModelMismatchError:
        return "ModelMismatchError"
    except PixzipError as e:
        if how == "region" and "not inside" in str(e):
            return "region refused"
        raise Finding(f"{type(e).__name__}: {e}") from e
    except (Exception, _Hang) as e:
        raise Finding(f"{type(e).__name__}: {e}") from e
    if how == "written" and isinstance(found, Picture):
        _write(found, rng.choice((".png", ".tif", ".webp", ".bmp", ".pgm", ".ppm")))
    if isinstance(found, ModelFile):
        return _compare_models(mutation, found)
    if isinstance(found, Stack):
        return _compare_stacks(mutation, found)
    if isinstance(found, Pages):
        return _compare_pages(mutation, found)
    return _compare(mutation, found, region if how == "region" else Window(0, 0, found.width, found.height), damaged)


def _load(data: bytes) -> str:
    """Load a weights file and code by it, if it is accepted; see `weights_mutations.attempt`.

    Raises:
        Finding: an error that a reader of weights must not raise, or another image.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return f"weights: {weights_mutations.attempt(data, Path(folder) / 'm.safetensors')}"
        except (Exception, _Hang) as e:
            raise Finding(f"weights: {type(e).__name__}: {e}") from e


def peak_bytes() -> int:
    """The peak memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak() -> None:
    """Reset `peak_bytes`, if the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@dataclass
class Report:
    """The outcomes of a run."""

    count: int = 0
    by_seed: dict[str, Counter[str]] = field(default_factory=dict)
    by_mutation: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    slowest: dict[str, Any] = field(default_factory=lambda: {"cpu_s": 0.0})
    peak_over_start_bytes: int = 0
    elapsed_s: float = 0.0


def run(
    count: int, seed: int, first: int = 0, keep: Path | None = None, progress: Callable[[int], None] = int
) -> Report:
    """Decode `count` mutations from number `first` on; each depends only on `seed` and its number.

    Args:
        keep: folder for files that are findings.
    """
    among = seeds()
    known = {s.data: s for s in among}
    for s in among:
        decompress(s.data)  # warm-up: loads and compiles
    report = Report()
    report.by_seed = {s.name: Counter() for s in among}
    forget_peak()
    start, started = peak_bytes(), time.monotonic()

    def give_up(*_: object) -> None:
        raise _Hang(f"not done after {GIVE_UP_S:.0f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    try:
        for number in range(first, first + count):
            rng = Random(f"{seed}:{number}")
            weights = rng.random() < WEIGHTS_SHARE
            mutation: Any = weights_mutations.mutate(rng) if weights else mutations.mutate(rng, among)
            name, how = (mutation.seed, "weights") if weights else (mutation.seed.name, mutation.how)
            began = time.process_time()
            signal.setitimer(signal.ITIMER_REAL, GIVE_UP_S)
            problem = ""
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    outcome = _load(mutation.data) if weights else attempt(rng, mutation, known)
            except Finding as e:
                outcome, problem = "finding", str(e)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            cpu_s, over = time.process_time() - began, peak_bytes() - start
            if cpu_s > LIMIT_S:
                outcome, problem = "finding", problem or f"slow: {cpu_s:.1f} s of processor time"
            if over > LIMIT_BYTES >= report.peak_over_start_bytes:
                outcome, problem = "finding", problem or f"memory: {over >> 20} MiB more than at the start"
            what = {"number": number, "seed": name, "mutation": how}
            if problem:
                report.findings.append({**what, "problem": problem})
                if keep:
                    (keep / f"{number}.pxz").write_bytes(mutation.data)
            if cpu_s > report.slowest["cpu_s"]:
                report.slowest = {**what, "cpu_s": round(cpu_s, 3), "outcome": outcome}
            report.peak_over_start_bytes = max(report.peak_over_start_bytes, over)
            report.by_seed.setdefault(name, Counter())[outcome] += 1
            report.by_mutation.setdefault(how.split(":")[0], Counter())[outcome] += 1
            report.count += 1
            progress(report.count)
    finally:
        signal.signal(signal.SIGALRM, before)
    report.elapsed_s = time.monotonic() - started
    return report
