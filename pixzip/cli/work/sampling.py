"""The work of `pixzip sample` and `pixzip complete`."""

import math
import time
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from pixcodecs.container.image import Layout
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.cli.errors import naming
from pixzip.cli.options import FAMILY_MODELS, MOST_SIDE, Manner
from pixzip.cli.progress import Bar
from pixzip.cli.work.shared import load_image, say_written
from pixzip.cli.work.threads import set_threads
from pixzip.codec.encoder import as_picture
from pixzip.engine import sampling
from pixzip.engine.base import Progress
from pixzip.engine.device import engine as engine_of
from pixzip.engine.family import FamilyEngine
from pixzip.io import files, streams
from pixzip.models import library
from pixzip.models.family.architectures import FAMILY


def sample(
    model: str, count: int, size: tuple[int, int], temperature: float, seed: int, device: str, out: str, manner: Manner
) -> None:
    """Draw images into a grid.

    Args:
        size: width and height of an image.
    Raises:
        PixzipError, OSError: the model is of another kind, or the grid cannot be written.
    """
    began = time.perf_counter()
    set_threads(manner.threads)
    engine = _engine(model, device)
    with Bar("sampling", not manner.quiet) as bar:
        images = sampling.sample(
            engine, count, size[1], size[0], seed=seed, temperature=temperature, progress=_scales(bar, engine)
        )
    data = _grid(images, engine.model.levels, math.ceil(math.sqrt(count)))
    files.write(out, data, manner.force)
    say_written(manner, model, out, data, began)


def complete(
    images: Sequence[str], keep_rows: int, model: str, count: int, temperature: float, seed: int, device: str,
    out: str, *, max_pixels: int | None, manner: Manner,
) -> None:  # fmt: skip
    """Redraw the lower rows of images into a grid.

    Raises:
        PixzipError, OSError: the images are unsuitable, the model is of another kind, or the grid cannot be written.
    """
    began = time.perf_counter()
    set_threads(manner.threads)
    engine = _engine(model, device)
    originals = []
    for name in images:
        with naming(name):
            originals.append(_array(load_image(name, max_pixels, manner), engine))
    shapes = {o.shape for o in originals}
    if len(shapes) > 1:
        raise PixzipError(f"images are of several sizes: {', '.join(f'{s[1]}x{s[0]}' for s in sorted(shapes))}")
    (h, w, _) = shapes.pop()
    if keep_rows > h:
        raise PixzipError(f"--keep-rows {keep_rows} of an image of {h} rows")
    if max(h, w) > MOST_SIDE:
        raise PixzipError(f"image has {w}x{h} pixels, a side has at most {MOST_SIDE} here")
    batch = np.repeat(np.stack(originals), count, 0)
    with Bar("completing", not manner.quiet) as bar:
        drawn = sampling.complete(
            engine, batch, keep_rows, seed=seed, temperature=temperature, progress=_scales(bar, engine)
        )
    access = files.narrowest(map(streams.status_of, images))  # the upper rows are theirs
    rows = [np.concatenate([o[None], drawn[i * count : (i + 1) * count]]) for i, o in enumerate(originals)]
    data = _grid(np.concatenate(rows), engine.model.levels, count + 1)
    files.write(out, data, manner.force, access)
    say_written(manner, model, out, data, began)


def _engine(model: str, device: str) -> FamilyEngine:
    if not library.path_of(model).exists():
        raise PixzipError(f"no model {model!r}: {FAMILY_MODELS}")
    found = library.find(model)
    if found.architecture not in FAMILY:
        raise PixzipError(f"model {model} is {found.architecture} and draws no images: {FAMILY_MODELS}")
    return cast(FamilyEngine, engine_of(found, codec.resolve_device(device)))


def _scales(bar: Bar, engine: FamilyEngine) -> Progress:
    """One bar for all scales of a model."""
    total, scale, last = len(engine.network.model.scales()), 0, 0

    def progress(done: int, steps: int) -> None:
        nonlocal scale, last
        if done < last:
            scale += 1
        last = done
        bar(scale * 1000 + 1000 * done // steps, 1000 * total)

    return progress


def _array(picture: Any, engine: FamilyEngine) -> Any:
    """A picture as an (H, W, C) array for the model."""
    layouts = {1: Layout.GREY, 3: Layout.RGB}
    expected = layouts[engine.model.channels]
    samples = picture.samples
    if picture.depth == 8 and picture.layout is Layout.RGB and expected is Layout.GREY:
        raise PixzipError("image is RGB, the model is for grey")
    if picture.layout is Layout.GREY and expected is Layout.RGB and picture.depth == 8:
        samples = np.repeat(samples, 3, 2)
    elif picture.layout is not expected or picture.depth not in (1, 8):
        raise PixzipError(f"image is {picture.layout.name} of {picture.depth} bits, expected {expected.name}")
    if engine.model.levels == 2 and picture.depth == 8:
        return (samples > 127).astype(np.uint8)
    if engine.model.levels == 256 and picture.depth == 1:
        return samples * np.uint8(255)
    return samples


def _grid(images: Any, levels: int, columns: int) -> bytes:
    """The PNG of images side by side."""
    return image.write(as_picture(sampling.grid(images, columns, levels)), ".png")
