"""The work of `pixzip eval`."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pixzip import codec
from pixzip.cli.options import Manner
from pixzip.cli.progress import Bar
from pixzip.cli.say import say, show, show_json
from pixzip.cli.work.queue import Queue
from pixzip.cli.work.shared import load_image
from pixzip.cli.work.threads import set_threads
from pixzip.codec.efforts import PLAIN_EFFORT


def evaluate(
    images: Sequence[str], model: str, device: str, *, pixels: bool, as_json: bool, max_pixels: int | None,
    manner: Manner,
) -> None:  # fmt: skip
    """Print a row for each image, and the totals.

    Args:
        pixels: whether to take the pixels of JPEGs, which are kept as files otherwise.
        manner: only `quiet`, `verbose` and `threads` are used.
    Raises:
        PixzipError: there is no such device.
    """
    set_threads(manner.threads)
    options = codec.Options.of(model, codec.resolve_device(device), PLAIN_EFFORT)
    rows: list[dict[str, Any]] = []

    def work(pictures: list[Any]) -> list[dict[str, Any]]:
        with Bar("evaluating", not manner.quiet) as bar:
            return codec.evaluate(pictures, options, bar)

    def done(name: str, picture: Any, result: dict[str, Any], seconds: float) -> None:
        rows.append({"image": name, **result})
        if manner.verbose:
            say(f"{name}: {picture.width}x{picture.height} pixels, {seconds:.2f} s")

    queue = Queue(work, done)
    for name in images:
        picture = queue.attempt(name, partial(load_image, name, max_pixels, manner, pixels=pixels))
        if picture is not None:
            queue.add(name, picture, picture.pixels)
    queue.flush()
    total = _total(rows)
    if as_json:
        show_json({"images": rows, "total": total})
    elif rows:
        show(f"{'model bits':>14} {'file bits':>12} {'ratio':>8} {'bits/dim':>9} {'bpsp':>9}  image")
        for row in [*rows, {"image": "total", **total}]:
            show(
                f"{row['model_bits']:14.1f} {row['file_bits']:12d} {row['ratio']:8.5f}"
                f" {row['bits_per_dim']:9.5f} {row['bpsp']:9.5f}  {row['image']}"
            )
    queue.exit()


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    if not rows:
        return {}
    model_bits, file_bits = sum(r["model_bits"] for r in rows), sum(r["file_bits"] for r in rows)
    subpixels = sum(r["width"] * r["height"] * r["channels"] for r in rows)
    return {
        "model_bits": model_bits,
        "file_bits": file_bits,
        "ratio": file_bits / model_bits,
        "bits_per_dim": model_bits / subpixels,
        "bpsp": file_bits / subpixels,
    }
