"""The work of `pixzip bench`."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pixcodecs.container import limits
from pixcodecs.errors import PixzipError

from pixzip import codec
from pixzip.api import Codec
from pixzip.cli.errors import EXIT_ERROR
from pixzip.cli.options import Manner
from pixzip.cli.progress import Bar
from pixzip.cli.say import say, show
from pixzip.image.picture import Picture
from pixzip.image.sources import is_image_name, sources
from pixzip.io import folders
from pixzip.report import codecs, measure, page
from pixzip.report.heat import heat
from pixzip.report.provenance import provenance

#: Exit code if one of pixzip's own codecs changed an image.
_EXIT_OWN_FAULT = 1


def measured(
    paths: Sequence[Path], names: str, out: str, *, limit: int | None, repeats: int, threads: int, heatmaps: int,
    device: str, manner: Manner,
) -> None:  # fmt: skip
    """Measure codecs and write the report; the program exits if a codec failed or an image was skipped.

    Args:
        names: names of the codecs, separated by commas.
        manner: only `force`, `quiet` and `verbose` are used.
    Raises:
        PixzipError, OSError: nothing can be measured, or the report cannot be written.
    """
    where = codec.resolve_device(device)
    torch.set_num_threads(threads)
    chosen = codecs.select(names.split(","), threads, where)
    total = sum(1 for _ in sources(paths, is_image_name))
    if not total:
        raise PixzipError(f"no image in {', '.join(map(str, paths))}")
    models = [model for c in chosen if (model := codecs.model_of(c.codec_id))]
    origin = provenance(["pixzip", "bench", *sys.argv[2:]], paths, models, threads)
    with Bar("measuring", not manner.quiet) as bar:
        heats = _Heats(heatmaps, models[-1] if models else "base", where, manner, bar.say)
        for channels in (3, 1):
            measure.warm_up(chosen, channels)
        rows, skipped = measure.measure(
            sources(paths, is_image_name), chosen, limit=limit, repeats=repeats, max_pixels=limits.MAX_PIXELS,
            seen=heats.add, progress=lambda done: bar(done, min(total, limit or total) * len(chosen)),
        )  # fmt: skip
    for file in skipped:
        say(f"pixzip: {file['image']}: {file['reason']}")
    if not rows:
        raise PixzipError(f"no image in {', '.join(map(str, paths))} can be measured")
    reference, totals = measure.totals(rows, chosen)
    result: dict[str, Any] = {
        "benchmark": "bench",
        **origin,
        "device": where,
        "repeats": repeats,
        "codecs": [{"codec": c.codec_id, "name": c.name, "settings": c.settings} for c in chosen],
        "reference": reference,
        "totals": totals,
        "images": rows,
        "skipped": skipped,
        "heatmaps": heats.facts(),
    }
    text = json.dumps(result, indent=1) + "\n"
    contents = {"report.json": text.encode(), "index.html": page.render(result, heats.found).encode()}
    folders.write_folder(out, contents, manner.force)
    _print(totals, len(rows), reference)
    show(f"{Path(out) / 'index.html'}")
    _exit(chosen, totals, skipped)


class _Heats:
    """The heat maps of the first images that a model codes."""

    def __init__(self, wanted: int, model: str, device: str, manner: Manner, say: Callable[[str], None]) -> None:
        self.model, self.found = model, list[Any]()
        self._wanted, self._device, self._manner, self._say = wanted, device, manner, say

    def add(self, name: str, picture: Picture) -> None:
        if self._manner.verbose:
            self._say(f"{name}: {picture.width}x{picture.height} pixels")
        if len(self.found) == self._wanted:
            return
        try:
            bits = Codec(self.model, self._device, max_pixels=None).bits_map(picture)
        except PixzipError as e:
            if not self._manner.quiet:
                self._say(f"pixzip: {name}: warning: no map of its bits: {e}")
        else:
            self.found.append(heat(name, picture, bits))

    def facts(self) -> dict[str, Any]:
        return {"model": self.model, "images": [{"image": h.name, "bits_per_pixel": h.mean} for h in self.found]}


def _print(totals: Sequence[dict[str, Any]], images: int, reference: str) -> None:
    show(f"{'codec':<16}{'images':>8}{'bytes':>15}{'bpsp':>8}{'/ ' + reference:>12}{'enc MP/s':>10}{'dec MP/s':>10}")
    for t in sorted(totals, key=lambda t: t.get("ratio", float("inf"))):
        if not t["images"]:
            show(f"{t['name']:<16}{0:>8}")
            continue
        ratio = f"{t['ratio']:.3f}" if "ratio" in t else ""
        show(
            f"{t['name']:<16}{t['images']:>8,}{t['bytes']:>15,}{t['bpsp']:>8.3f}{ratio:>12}"
            f"{t['encode_mps']:>10.3g}{t['decode_mps']:>10.3g}"
        )


def _exit(chosen: Sequence[codecs.MeasuredCodec], totals: Sequence[dict[str, Any]], skipped: Sequence[Any]) -> None:
    """Print the errors, and exit with the right code."""
    own_fault = False
    for c, t in zip(chosen, totals, strict=True):
        for what in ("not_lossless", "failed"):
            if what in t:
                say(f"pixzip: {t['name']}: {what.replace('_', ' ')} on {t[what]} image(s)")
                own_fault |= c.ours
    if own_fault:
        sys.exit(_EXIT_OWN_FAULT)
    if skipped:
        sys.exit(EXIT_ERROR)
