"""Stacks on the command line: convert folders of images and arrays to one file and back."""

import io
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pixcodecs.container import names as name_list
from pixcodecs.container import stack as container
from pixcodecs.container.image import Buffer, Layout
from pixcodecs.container.references import Reference
from pixcodecs.container.stack import DEPTHS, LAYOUTS, StackHeader
from pixcodecs.errors import PixzipError, UnsupportedImageError

from pixzip import codec, image
from pixzip.cli.errors import naming
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import Manner
from pixzip.cli.progress import Bar
from pixzip.cli.work.shared import load, say_embedded
from pixzip.cli.work.threads import set_threads
from pixzip.codec import stack
from pixzip.codec.stack import Image, Stack
from pixzip.codec.stack_search import smallest_stack
from pixzip.image.picture import Picture
from pixzip.image.sources import walk
from pixzip.io import files, folders, streams
from pixzip.io.names import SUFFIX, folder_name, pxz_name
from pixzip.io.signals import signals_wait

ARRAY_SUFFIX = ".npy"
_KINDS = {1: "grey", 3: "RGB"}


class _Source(NamedTuple):
    """An input file and the name of its image; an array has no name."""

    path: Path
    name: str


def _sources(inputs: Sequence[str]) -> Iterator[_Source]:
    """Yield files as given, and the files in folders and their subfolders, see `sources.walk`."""
    for given in inputs:
        if given == streams.STANDARD:
            raise PixzipError("a stack is made of files and folders, standard input is neither")
        path = Path(given)
        if not path.is_dir():
            yield _Source(path, "" if path.suffix.lower() == ARRAY_SUFFIX else path.name)
            continue
        found = walk(path)
        if not found:
            raise PixzipError(f"folder {given} has no images")
        for inner in found:
            yield _Source(path / inner, inner.as_posix())


@dataclass
class _Collected:
    """The images of a future stack, all of one kind."""

    strip: bool
    max_pixels: int | None
    images: list[Image] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    #: None while there are only arrays whose samples fit either depth.
    depth: int | None = None
    pixels: int = 0

    def add(self, source: _Source) -> None:
        """
        Raises:
            PixzipError, OSError: a stack cannot hold the file's content.
        """
        found = _array(source.path) if not source.name else [self._picture(source.path)]
        for samples in found:
            self.pixels += samples.shape[0] * samples.shape[1]
            if self.max_pixels is not None and self.pixels > self.max_pixels:
                raise UnsupportedImageError(
                    f"stack has more than {self.max_pixels} pixels up to here: --no-pixel-limit lifts the limit"
                )
            if samples.shape[2] != (self.images or [samples])[0].shape[2]:
                kinds = _KINDS[samples.shape[2]], _KINDS[self.images[0].shape[2]]
                raise UnsupportedImageError("image is {}, those before it in the stack are {}".format(*kinds))
            self.images.append(samples)
        if source.name:
            self.names.append(source.name)

    def _picture(self, path: Path) -> Image:
        with streams.Input(str(path)) as source:
            picture, dropped = load(source, self.max_pixels)
        if picture.layout not in LAYOUTS or picture.depth not in DEPTHS or picture.transparency:
            kind = f"{picture.layout.name} of {picture.depth} bits" + " with transparency" * bool(picture.transparency)
            raise UnsupportedImageError(f"image is {kind}, a stack holds GREY and RGB of 8 bits or 1")
        more = sorted({*dropped, *(chunk.type.decode("latin-1") for chunk in picture.metadata)})
        if more and not self.strip:
            raise UnsupportedImageError(f"image has {', '.join(more)}, a stack holds samples alone: --strip drops it")
        if picture.depth != (self.depth or picture.depth):
            raise UnsupportedImageError(f"image has {picture.depth} bits a sample, those before it {self.depth}")
        self.depth = picture.depth
        return picture.samples.astype(np.uint8, copy=False)


def _array(path: Path) -> Sequence[Image]:
    """The (N, H, W, C) images of an array file."""
    data = streams.read(str(path))
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reads = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = reads[version != (1, 0)](stream)
    except (ArithmeticError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError) as e:
        raise UnsupportedImageError(f"array cannot be read: {e}") from None
    if dtype != np.uint8 or len(shape) not in (3, 4) or not math.prod(shape):
        raise UnsupportedImageError(f"array is {dtype} {shape}, expected uint8 (N, H, W) or (N, H, W, C)")
    if len(shape) == 4 and shape[3] not in _KINDS:
        raise UnsupportedImageError(f"array has {shape[3]} channels, expected 1 or 3")
    samples = np.frombuffer(data, np.uint8, offset=stream.tell())
    if samples.size < math.prod(shape):
        raise UnsupportedImageError(f"array has {samples.size} samples, its header declares {shape}")
    found = samples[: math.prod(shape)].reshape(shape, order="F" if in_columns else "C")
    return list(np.ascontiguousarray(found).reshape(*shape[:3], -1))


def compress(
    inputs: Sequence[str], out: str | None, model: str | None, effort: int, device: str, *,
    names: bool, strip: bool, verify: bool, embed_model: bool, max_pixels: int | None, manner: Manner,
) -> None:  # fmt: skip
    """Compress images, folders and arrays to one file.

    Args:
        model: see `Options.of`.
        manner: only `force`, `threads`, `quiet` and `verbose` are used.

    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    if out is None:
        if len(inputs) > 1 or Path(inputs[0]).name in ("", ".."):
            raise PixzipError(f"a stack of {' '.join(inputs[:3])} needs -o FILE{SUFFIX}")
        out = pxz_name(str(Path(inputs[0])))
    files.check_writable(out, manner.force)
    set_threads(manner.threads)
    reference = Reference.EMBEDDED if embed_model else Reference.ID
    options = codec.Options.of(model, codec.coding_device(device), effort, max_pixels=max_pixels, reference=reference)
    sources = list(_sources(inputs))
    unnamed = [source.path for source in sources if not source.name]
    if names and unnamed and len(unnamed) < len(sources):
        raise PixzipError(f"{unnamed[0]} has no names for its images: --no-names leaves out those of the others")
    collected, began = _Collected(strip, max_pixels), time.perf_counter()
    ledger = Ledger("compressing", manner)
    name = inputs[0] if len(inputs) == 1 else f"{len(inputs)} inputs"
    ledger.plan(name, out, sum(source.path.stat().st_size for source in sources if source.path.exists()))
    with ledger.at_work(bar=False):
        data = _coded(collected, sources, options, names=names, verify=verify, quiet=manner.quiet)
        access = files.narrowest(streams.status_of(str(source.path)) for source in sources)
        with signals_wait():  # so that a written file is counted
            files.write(out, data, manner.force, access)
            ledger.written += 1
        ledger[name].bytes_after = len(data)
        ledger[name].model_bytes = len(container.read_header(data, None).weights)
        ledger[name].pixels, ledger[name].seconds = collected.pixels, time.perf_counter() - began
        ledger.done(name)
    if not manner.quiet:
        say_embedded([ledger[name]])


def _coded(
    collected: _Collected, sources: Sequence[_Source], options: codec.Options, *,
    names: bool, verify: bool, quiet: bool,
) -> bytes:  # fmt: skip
    """The file of all sources."""
    with Bar("reading", not quiet) as bar:
        for i, source in enumerate(sources):
            with naming(str(source.path)):
                if names and source.name:
                    name_list.check([source.name])
                collected.add(source)
            bar(i + 1, len(sources))
    found = options.model_for(collected.images[0].shape[2])
    depth = collected.depth or (1 if found.levels == 2 else 8)
    if depth == 1 and max(int(x.max()) for x in collected.images) > 1:
        raise UnsupportedImageError("samples are not all 0 or 1, as those of this model have to be")
    with Bar("compressing", not quiet) as bar:
        return smallest_stack(
            collected.images, options, depth=depth, names=collected.names if names else (), verify=verify, progress=bar
        )


def decompress(
    ledger: Ledger, name: str, data: Buffer, options: codec.Options, *,
    stat: os.stat_result | None, out: str | None, whole: bool,
) -> None:  # fmt: skip
    """Decompress a stack to a folder of PNGs, or to an array file.

    Args:
        ledger: ledger that contains the file.
        stat: status of the file, whose access the outputs get; None for what is no regular file.
        whole: neither a region nor salvage is requested.
    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    if not whole:
        raise PixzipError("a stack of images has no regions or tiles: --region and --salvage do not go with it")
    if ledger.manner.remove:
        raise PixzipError("a stack of images stays: --rm does not go with it")
    out = out or folder_name(name)
    if out == streams.STANDARD:
        raise PixzipError(f"a stack does not go to standard output: -o FOLDER or -o FILE{ARRAY_SUFFIX}")
    began, entry, force = time.perf_counter(), ledger[name], ledger.manner.force
    header = stack.parse(data, options.max_pixels)
    as_array = Path(out).suffix.lower() == ARRAY_SUFFIX
    targets = _check_array(header, out, force) if as_array else _targets(header)
    if not as_array:
        folders.check_folder(out, targets, force)
    with Bar("decompressing", not ledger.manner.quiet) as bar:
        found = stack.decompress_stack(data, options, bar)
    contents = {out: _array_file(found)} if as_array else _png_files(found, targets, not ledger.manner.quiet)
    with signals_wait():  # so that written files are counted
        if as_array:
            files.write(out, contents[out], force, stat, dated=False)
        else:
            folders.write_folder(out, contents, force, stat)
        ledger.written += 1
    entry.output, entry.bytes_before, entry.pixels = out, len(data), header.pixels
    entry.bytes_after, entry.seconds = sum(map(len, contents.values())), time.perf_counter() - began
    ledger.done(name)


def _check_array(header: StackHeader, out: str, force: bool) -> list[str]:
    if len(header.runs) > 1:
        sizes = sorted({f"{run.width}x{run.height}" for run in header.runs})
        raise PixzipError(f"images are of {len(sizes)} sizes, {', '.join(sizes[:3])}...: -o FOLDER takes them")
    files.check_writable(out, force)
    return []


def _targets(header: StackHeader) -> list[str]:
    """The path of each image's file in the folder."""
    if not header.names:
        digits = max(5, len(str(header.images - 1)))
        return [f"{i:0{digits}}.png" for i in range(header.images)]
    targets = [name if name.lower().endswith(".png") else name + ".png" for name in header.names]
    name_list.check(targets)  # two images may map to one a.png
    return targets


def _array_file(found: Stack) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.stack(found.images))
    return stream.getvalue()


def _png_files(found: Stack, targets: Sequence[str], bar_wanted: bool) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    layout = Layout.RGB if found.images[0].shape[2] == 3 else Layout.GREY
    with Bar("writing", bar_wanted) as bar:
        for target, samples in zip(targets, found.images, strict=True):
            made[target] = image.write(Picture(samples, layout, found.depth))
            bar(len(made), len(targets))
    return made
