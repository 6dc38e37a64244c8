"""Verify files: decode them, and throw the pixels away."""

from pixcodecs.container import signature
from pixcodecs.container.image import Buffer

from pixzip.codec import by_rows, kept
from pixzip.codec.decoder import decompress
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.codec.stack import decompress_stack
from pixzip.engine.base import Progress


def verify(file: Buffer | Opening, options: Options, progress: Progress | None = None) -> None:
    """Decode a file of any kind and check all its checksums; a large picture takes the memory of a band of tiles.

    Args:
        progress: called with (pixels done, total pixels).
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.
    """
    if not isinstance(file, Opening) and signature.is_stack(file):
        decompress_stack(file, options, progress)
        return
    if not isinstance(file, Opening) and signature.is_kept(file):
        kept.restore(file, options.max_pixels)
        return
    opening = file if isinstance(file, Opening) else Opening(file, options.max_pixels)
    if opening.pixels <= by_rows.LARGE_PIXELS:
        decompress([opening], options, progress)
        return
    opening.check_blocks()
    opening.check_frame()
    for _ in by_rows.decompress_rows(opening, options, progress):
        pass
