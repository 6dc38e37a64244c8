"""Stacks by effort: a sample of the images tells which stage codes all of them."""

from collections.abc import Sequence

from pixcodecs.container import stack as container
from pixcodecs.container.references import Reference
from pixcodecs.errors import BitstreamError

from pixzip.codec import carried, costs
from pixzip.codec.options import Options
from pixzip.codec.progress import Share
from pixzip.codec.stack import Image, check_images, compress_stack
from pixzip.engine.base import Progress
from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.models.base import Model

#: Most images and pixels of the sample.
SAMPLE_IMAGES, SAMPLE_PIXELS = 128, 1 << 17


def smallest_stack(
    images: Sequence[Image],
    options: Options,
    *,
    depth: int | None = None,
    names: Sequence[str] = (),
    verify: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """One `.pxz` file of all images by the models and stages of the options; the smallest counts.

    Args:
        images: see `compress_stack`.
        options: its effort says which stages a sample of the images is coded with: the one that makes it smallest codes
            all images, or no stage where readers would refuse that file as too costly.
        depth: 8 or 1; None for that of the model.
        names, verify: see `compress_stack`.
        progress: called with (pixels done, total pixels), without those of samples.
    Raises:
        ValueError: see `check_images`.
        BitstreamError: readers would refuse the file as too costly.
        UnsupportedImageError, ModelMismatchError, PixzipError: see `compress_stack`.
    """
    check_images(images)
    tried = (options, *options.alternatives)
    pixels = (1 + verify) * sum(image.shape[0] * image.shape[1] for image in images)
    share, found = Share(progress, len(tried) * pixels), list[bytes]()
    for one in tried:
        report = share.part(pixels)
        model = one.model_for(_channels(images))
        kind = depth or (1 if model.levels == 2 else 8)
        stage = _chosen(images, one, model, kind)
        if (model.model_id, stage.number) in map(_header_of, found):
            report(1, 1)
            continue
        found.append(_affordable(images, one, model, stage, kind, names, verify, report))
    return min(found, key=len)


def _channels(images: Sequence[Image]) -> int:
    return images[0].shape[2] if images[0].ndim == 3 else 1


def _header_of(file: bytes) -> tuple[bytes, int]:
    header = container.read_header(file, None)
    return header.model, header.stage


def _affordable(
    images: Sequence[Image], options: Options, model: Model, stage: Identity, depth: int, names: Sequence[str],
    verify: bool, progress: Progress,
) -> bytes:  # fmt: skip
    """The file with the stage, or without if that would cost too much to read."""
    if options.reference != Reference.ID:
        carried.check_readable([model], options.max_pixels)
    file = compress_stack(
        images,
        model,
        options.executor,
        depth=depth,
        names=names,
        stage=stage,
        verify=verify,
        progress=progress,
        embed=options.reference != Reference.ID,
    )
    if options.max_pixels is None:
        return file
    try:
        model_ns = carried.written_ns([model], options.reference)
        costs.check_stack(container.read_header(file, None), model, len(file), model_ns=model_ns)
    except BitstreamError:
        if stage == IDENTITY:
            raise
        return _affordable(images, options, model, IDENTITY, depth, names, verify, lambda done, total: None)
    return file


def _chosen(images: Sequence[Image], options: Options, model: Model, depth: int) -> Identity:
    """The stage that makes a sample smallest, the quicker one where it is near."""
    stages = options.effort.stages_of_stack(model, depth)
    if len(stages) == 1:
        return next(iter(stages))
    some = sample(images)
    sizes = {
        stage: worth * len(compress_stack(some, model, options.executor, depth=depth, stage=stage))
        for stage, worth in stages.items()
    }
    return min(sizes, key=sizes.__getitem__)


def sample(images: Sequence[Image]) -> list[Image]:
    """Some of the images, from the first on at equal distances."""
    step = -(-len(images) // SAMPLE_IMAGES)
    found, pixels = list[Image](), 0
    for image in images[::step]:
        pixels += image.shape[0] * image.shape[1]
        if found and pixels > SAMPLE_PIXELS:
            break
        found.append(image)
    return found
