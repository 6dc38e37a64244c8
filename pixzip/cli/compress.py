"""`pixzip compress`."""

from pathlib import Path

import click
from pixcodecs.container import limits
from pixcodecs.container.references import Reference

from pixzip.cli import inputs
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import (
    Command,
    Manner,
    check_streams,
    complete_paths,
    device_option,
    effort_model_option,
    effort_option,
    manner_options,
    no_limit_option,
    pixels_option,
    refuse_with,
)  # fmt: skip
from pixzip.cli.spreading import reachable, spread
from pixzip.io import stores
from pixzip.io.names import IMAGE_SUFFIXES, SUFFIX, pxz_name

KIND = inputs.InputKind(
    "images",
    inputs.image_suffixes,
    lambda name, path, head: pxz_name(name),
    lambda: frozenset({SUFFIX}),
    inputs.image_left_alone,
    inputs.image_is_opened,
    passed_over=lambda name: name.lower().endswith(SUFFIX),
)


@click.command(
    cls=Command,
    epilog="""With -r the images of a folder are the files named """
    + " ".join(sorted(IMAGE_SUFFIXES))
    + """. A JPEG is kept: the same file comes back, byte for byte. Lossy WebPs are taken only where they are named
    one by one, for their pixels, coded without loss, are larger than the files. Images that are left alone are counted
    at the end. Hidden files and links to folders are passed over, and what is up to date is skipped: an output that
    exists and has the time of its input.""",
)
@click.argument("images", nargs=-1, required=True, metavar="IMG...", shell_complete=complete_paths)
@click.option(
    "-o", "--output", "out", shell_complete=complete_paths,
    help="Output file, folder for many inputs, or - (default: IMG.pxz).",
)  # fmt: skip
@click.option(
    "--stack", is_flag=True, help="Make one file of all: images, folders of them, and uint8 .npy (N,H,W[,C])."
)
@click.option("--no-names", is_flag=True, help="Leave the images' names out of a stack.")
@effort_option
@effort_model_option
@device_option
@click.option("--verify", is_flag=True, help="Decode and compare before writing.")
@pixels_option
@click.option("--strip", is_flag=True, help="Leave out metadata (profiles, EXIF, texts).")
@click.option(
    "--no-original", is_flag=True, help="Leave out what gives the file back byte for byte; pixels are exact without it."
)
@click.option("--models-only", is_flag=True, help="Let the model code what it can, even where WebP or PNG is smaller.")
@click.option(
    "--coder", type=click.Choice(["range", "rans"]), default="range", show_default=True,
    help="Entropy coder: range is smallest, rans some 0.05 % larger and made for decoding on a GPU.",
)  # fmt: skip
@click.option(
    "--tile", type=click.IntRange(16, 1024), metavar="PIXELS",
    help="Largest side of a tile (default: 1024): smaller ones for --region and --salvage, at a price in bytes.",
)  # fmt: skip
@click.option(
    "--embed-model", is_flag=True,
    help="Put the model into each file that uses it, with -r into one file beside them: no reader needs to have it.",
)  # fmt: skip
@no_limit_option
@manner_options(writes=True)
def compress(
    images: tuple[str, ...], out: str | None, stack: bool, no_names: bool, effort: int, model: str | None, device: str,
    verify: bool, pixels: bool, strip: bool, no_original: bool, models_only: bool, coder: str, tile: int | None,
    embed_model: bool, no_pixel_limit: bool,
    manner: Manner,
) -> None:  # fmt: skip
    """Compress images to IMG.pxz; - is standard input."""
    most = None if no_pixel_limit else limits.MAX_PIXELS
    if stack:
        refused = {"--rm": bool(manner.remove), "--dry-run": manner.dry_run, "--json": manner.json_lines}
        refused |= {"--workers or --scheduler": manner.spread, "--shard": manner.shard is not None}
        refuse_with("--stack", refused, "all inputs become one file")
        refuse_with("--stack", {"--tile": tile is not None}, "a stack has no tiles")
        refuse_with("--stack", {f"--coder {coder}": coder != "range"}, "a stack is one stream of the range coder")
        from pixzip.cli.work import stack as stacks

        stacks.compress(
            images, out, model, effort, device, names=not no_names, strip=strip, verify=verify, max_pixels=most,
            embed_model=embed_model, manner=manner,
        )  # fmt: skip
        return
    if no_names:
        raise click.UsageError("--no-names is for --stack")
    if manner.remove:
        refuse_with("--rm", {"--strip": strip}, "what it leaves out would be lost")
    if manner.remove == "bytes":
        refuse_with(
            "--rm", {"--no-original": no_original}, "the bytes of files would be lost: --rm=pixels removes them"
        )
    check_streams(manner, images, out)
    ledger = Ledger("compressing", manner)
    inputs.plan(ledger, images, out, KIND)

    reached = reachable(manner, [model])[0] if model else None
    reference = Reference.ID
    if embed_model:
        reference = Reference.BESIDE if manner.recursive else Reference.EMBEDDED
    places = [out] if out else images
    roots = tuple(place if stores.is_url(place) else str(Path(place).absolute()) for place in map(stores.plain, places))

    def work(at: Ledger, names: list[str]) -> None:
        from pixzip.cli.work.compress import Compression

        Compression(
            at, effort, reached, device, verify=verify, strip=strip, original=not (no_original or strip),
            models_only=models_only, coder=coder, most=most, as_pixels=pixels, tile=tile, reference=reference,
            roots=roots,
        ).run(names)  # fmt: skip

    ledger.carry_out(spread(manner, work))
