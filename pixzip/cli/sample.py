"""`pixzip sample` and `pixzip complete`: pictures of what a family model has learned."""

import math
from pathlib import Path
from typing import Any

import click
from pixcodecs.errors import PixzipError

from pixzip.cli.options import (
    complete_models,
    complete_paths,
    device_option,
    force_option,
    load_image,
    no_limit_option,
)  # fmt: skip
from pixzip.cli.progress import Bar
from pixzip.io import files, streams


class _Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT in pixels."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        try:
            width, height = (int(part) for part in str(value).lower().split("x"))
        except ValueError:
            self.fail(f"{value!r} is not WIDTHxHEIGHT in whole pixels", param, ctx)
        if not (1 <= width <= _MOST_SIDE and 1 <= height <= _MOST_SIDE):
            self.fail(f"{value!r} has a side that is not 1 to {_MOST_SIDE}", param, ctx)
        return width, height


_MOST_SIDE = 1024

_model = click.option(
    "--model", required=True, metavar="NAME|PATH", help="Model of the PixelRNN family.",
    shell_complete=complete_models,
)  # fmt: skip
_temperature = click.option(
    "--temperature", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="Below 1 keeps to what is likely.",
)  # fmt: skip
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another one, other images."
)
_output = click.option("-o", "--output", "out", required=True, metavar="FILE.png", help="A grid of images, or -.")


@click.command()
@_model
@click.option("-n", "--count", type=click.IntRange(1, 4096), default=64, show_default=True, help="Images to draw.")
@click.option("--size", type=_Size(), default="32x32", show_default=True, metavar="WxH", help="Of an image.")
@_temperature
@_seed
@device_option
@_output
@force_option
def sample(
    model: str, count: int, size: tuple[int, int], temperature: float, seed: int, device: str, out: str, force: bool
) -> None:
    """Draw images from a model."""
    _check_output(out, force)
    from pixzip.engine import sampling

    engine = _engine(model, device)
    with Bar("sampling") as bar:
        images = sampling.sample(
            engine, count, size[1], size[0], seed=seed, temperature=temperature, progress=_stages(bar, engine)
        )
    _write(images, engine.levels, math.ceil(math.sqrt(count)), out, force)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@click.option("--keep-rows", type=click.IntRange(min=0), required=True, metavar="N", help="Rows to keep, from the top.")
@_model
@click.option("-n", "--count", type=click.IntRange(1, 64), default=7, show_default=True, help="Completions an image.")
@_temperature
@_seed
@device_option
@_output
@force_option
@no_limit_option
def complete(
    images: tuple[str, ...], keep_rows: int, model: str, count: int, temperature: float, seed: int, device: str,
    out: str, force: bool, no_pixel_limit: bool,
) -> None:  # fmt: skip
    """Keep the first rows of images of one size and draw the rest: a row of the grid each, the original first."""
    _check_output(out, force)
    import numpy as np

    from pixzip.engine import sampling

    engine = _engine(model, device)
    originals = [_array(name, load_image(name, None), engine) for name in images]
    shapes = {o.shape for o in originals}
    if len(shapes) > 1:
        raise PixzipError(f"images are of several sizes: {', '.join(f'{s[1]}x{s[0]}' for s in sorted(shapes))}")
    (h, w, _) = shapes.pop()
    if keep_rows > h:
        raise PixzipError(f"--keep-rows {keep_rows} of an image of {h} rows")
    if max(h, w) > _MOST_SIDE:
        raise PixzipError(f"image has {w}x{h} pixels, a side has at most {_MOST_SIDE} here")
    batch = np.repeat(np.stack(originals), count, 0)
    with Bar("completing") as bar:
        drawn = sampling.complete(
            engine, batch, keep_rows, seed=seed, temperature=temperature, progress=_stages(bar, engine)
        )
    rows = [np.concatenate([o[None], drawn[i * count : (i + 1) * count]]) for i, o in enumerate(originals)]
    _write(np.concatenate(rows), engine.levels, count + 1, out, force)


def _check_output(out: str, force: bool) -> None:
    if out != streams.STANDARD and Path(out).suffix.lower() != ".png":
        raise PixzipError(f"{out}: the grid is a PNG")
    files.check_writable(out, force)


def _engine(model: str, device: str) -> Any:
    from pixzip import codec
    from pixzip.engine import executor
    from pixzip.models import library
    from pixzip.models.family.weights import FixedWeights

    weights = library.find(model)
    if not isinstance(weights, FixedWeights):
        raise PixzipError(f"model {model} is {weights.architecture}: sampling takes one of the PixelRNN family")
    return executor.engine(weights, codec.resolve_device(device))


def _stages(bar: Bar, engine: Any) -> Any:
    """One bar for all stages of a model."""
    total, stage, last = len(engine.model.stages()), 0, 0

    def progress(done: int, steps: int) -> None:
        nonlocal stage, last
        if done < last:
            stage += 1
        last = done
        bar(stage * 1000 + 1000 * done // steps, 1000 * total)

    return progress


def _array(name: str, picture: Any, engine: Any) -> Any:
    """(H, W, C) of a picture as the model takes it."""
    import numpy as np
    from pixcodecs.container.image import Layout

    layouts = {1: Layout.GREY, 3: Layout.RGB}
    expected = layouts[engine.weights.config.channels]
    samples = picture.samples
    if picture.depth == 8 and picture.layout is Layout.RGB and expected is Layout.GREY:
        raise PixzipError(f"{name}: image is RGB, the model is for grey")
    if picture.layout is Layout.GREY and expected is Layout.RGB and picture.depth == 8:
        samples = np.repeat(samples, 3, 2)
    elif picture.layout is not expected or picture.depth not in (1, 8):
        raise PixzipError(f"{name}: image is {picture.layout.name} of {picture.depth} bits, expected {expected.name}")
    if engine.levels == 2 and picture.depth == 8:
        return (samples > 127).astype(np.uint8)
    if engine.levels == 256 and picture.depth == 1:
        return samples * np.uint8(255)
    return samples


def _write(images: Any, levels: int, columns: int, out: str, force: bool) -> None:
    from pixzip import image
    from pixzip.codec.encoder import as_picture
    from pixzip.engine import sampling

    files.write(out, image.write(as_picture(sampling.grid(images, columns, levels)), ".png"), force)
