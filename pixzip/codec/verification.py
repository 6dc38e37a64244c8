"""Verify files: decode them, and throw the pixels away."""

from pixcodecs.container import signature
from pixcodecs.container.image import Buffer

from pixzip.codec import by_rows, kept, model_facts, original, pages_original
from pixzip.codec.decoder import decompress
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.codec.stack import decompress_stack
from pixzip.engine.base import Progress


def verify(file: Buffer | Opening, options: Options, progress: Progress | None = None) -> None:
    """Decode a file of any kind, check all its checksums, and that its original comes back, if it has a record.

    A large picture takes the memory of a band of tiles.

    Args:
        progress: called with (pixels done, total pixels).
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.
        RebuildError: the picture is whole, but its original's bytes do not come back here.
    """
    if not isinstance(file, Opening) and signature.is_stack(file):
        decompress_stack(file, options, progress)
        return
    if not isinstance(file, Opening) and signature.is_pages(file):
        pages = PagesOpening(file, options.max_pixels)
        pages_original.check(pages, decompress_pages(pages, options, progress), options)
        return
    if not isinstance(file, Opening) and signature.is_model(file):
        model_facts.model_file_facts(file, options.max_pixels)
        return
    if not isinstance(file, Opening) and signature.is_kept(file):
        kept.restore(file, options.max_pixels)
        return
    opening = file if isinstance(file, Opening) else Opening(file, options.max_pixels)
    if opening.pixels <= by_rows.LARGE_PIXELS:
        (picture,) = decompress([opening], options, progress)
        original.check(opening, picture, options)
        return
    opening.check_blocks()
    opening.check_frame()
    if original.is_kept(opening):
        original.check(opening, None, options, progress)
        return
    for _ in by_rows.decompress_rows(opening, options, progress):
        pass
