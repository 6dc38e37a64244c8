"""`pixzip decompress`."""

from typing import Any

import click
from pixcodecs.container import limits, references, signature

from pixzip.cli import inputs
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import (
    Command,
    Manner,
    check_streams,
    complete_paths,
    device_option,
    extra_models_option,
    manner_options,
    no_limit_option,
    refuse_with,
)  # fmt: skip
from pixzip.cli.spreading import reachable, spread
from pixzip.io import stores, streams
from pixzip.io.names import SUFFIX, folder_name, image_name, is_folder, jpeg_name, pages_name


def _name_of_pages(name: str, kind: int) -> str:
    """The name of a file of several pages, by the number of their kind."""
    from pixzip.image.pages import SUFFIXES, Kind

    known = kind in Kind.__members__.values()
    return pages_name(name, SUFFIXES[Kind(kind)]) if known else image_name(name)


def _is_enough(head: bytes) -> bool:
    """Whether the first bytes of a file tell the name of its output."""
    from pixzip.cli.work.originals import has_header

    return has_header(head)


def _kind(pixels: bool) -> inputs.InputKind:
    """The inputs and outputs; with `pixels`, files that give back their originals become PNGs, too."""

    def renamed(name: str, path: str, head: bytes | None) -> str:
        """The name of an output: that of the original where its bytes come back, else that of a PNG."""
        if path == streams.STANDARD or (streams.status_of(path) is None and not stores.is_url(path)):
            return image_name(name)  # what can be read once only is not looked at
        start = streams.peek(path) if head is None else head
        if signature.is_pages(start) and len(start) > len(signature.SIGNATURE) + 1:
            return _name_of_pages(name, start[4:5][0] & 7)
        if signature.is_kept(start):
            return image_name(name) if pixels else jpeg_name(name)
        from pixzip.cli.work.originals import kept_suffixes

        return image_name(name, (() if pixels else kept_suffixes(path, start)) or (".png",))

    return inputs.InputKind(
        f"{SUFFIX} files",
        lambda: frozenset({SUFFIX}),
        renamed,
        inputs.image_suffixes,
        enough=_is_enough,
        passed_over=references.is_file_name,
    )


class _Region(click.ParamType[tuple[int, ...]]):
    """X,Y,W,H in pixels."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            x, y, w, h = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not X,Y,W,H in whole pixels", param, ctx)
        if min(x, y) < 0 or min(w, h) < 1:
            self.fail(f"{value!r} has a negative corner or no pixels", param, ctx)
        return x, y, w, h


@click.command(cls=Command)
@click.argument("packed", nargs=-1, required=True, metavar="FILE.pxz...", shell_complete=complete_paths)
@click.option(
    "-o", "--output", "out", shell_complete=complete_paths,
    help="Output image, folder for many inputs, or - (default: the original's bytes if FILE keeps them, else PNG).",
)  # fmt: skip
@extra_models_option
@device_option
@click.option("--region", type=_Region(), metavar="X,Y,W,H", help="Decode this part, and only the tiles it needs.")
@click.option("--salvage", is_flag=True, help="Recover what is whole; damaged tiles become zeros.")
@no_limit_option
@manner_options(writes=True)
def decompress(
    packed: tuple[str, ...], out: str | None, extra: tuple[str, ...], device: str,
    region: tuple[int, int, int, int] | None, salvage: bool, no_pixel_limit: bool, manner: Manner,
) -> None:  # fmt: skip
    """Decompress to the original file or a PNG, or as the output's suffix says; a stack to a folder or .npy.

    A JPEG that was kept comes back byte for byte, unless the output's suffix names another format.
    Pages and animations become a file of their kind, with -o DIR/ one PNG a page.
    """
    most = None if no_pixel_limit else limits.MAX_PIXELS
    if manner.remove:
        refuse_with("--rm", {"--region": bool(region), "--salvage": salvage}, "what they leave out would be lost")
    check_streams(manner, packed, out)
    ledger = Ledger("decompressing", manner)
    stack = streams.is_one_stack(packed)
    if stack:
        ledger.plan(packed[0], out or folder_name(packed[0]))
    elif len(packed) == 1 and is_folder(out) and signature.is_pages(streams.peek(packed[0])):
        ledger.plan(packed[0], out)
    else:
        inputs.plan(ledger, packed, out, _kind(pixels=region is not None))

    alone = len(packed) == 1 and stores.plain(packed[0]) in ledger.entries  # not a folder
    extra = reachable(manner, extra)

    def work(at: Ledger, names: list[str]) -> None:
        from pixzip.cli.work.decompress import Decompression

        Decompression(
            at, out, extra, device, region=region, salvage=salvage, max_pixels=most,
            alone=alone,
        ).run(names)  # fmt: skip

    ledger.carry_out(spread(manner, work), bar=not stack)
