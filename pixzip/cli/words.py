"""Words that shells complete: copies of names whose own modules take seconds to import; a test compares them."""

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

#: The ids of `pixzip.report.codecs`.
CODECS = (
    "all", "png", "webp", "jxl-e3", "jxl-e7", "jxl-e9", "jpegls", "jpeg2000", "avif", "qoi", "pixzip-e1",
    "pixzip-e3", "pixzip-e5", "pixzip-e7",
)  # fmt: skip
_FAMILY = ("pixelcnn", "row-lstm", "diagonal-bilstm", "multi-scale", "gated-pixelcnn", "pixelcnn-pp")
_DATA = ("cifar10", "mnist", "mnist-binary", "imagenet32", "imagenet64", "photos")
#: The configs of `pixzip.train.wavefront` and `pixzip.train.family_configs`; none of photos has published sizes.
CONFIGS = (
    *("base", "large", "fast", "grey", "fast-grey", "graphics", "graphics-grey", "tiny"),
    *(f"{model}-{data}" for model in _FAMILY for data in _DATA if data != "photos"),
    *(f"{model}-{data}-small" for model in _FAMILY for data in _DATA),
)


def complete_configs(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of training configs."""
    return _items(CONFIGS, incomplete)


def complete_codecs(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last of several ids of codecs, separated by commas; each is offered once."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    return _items([before + comma + name for name in CODECS if name not in given], incomplete)


def _items(words: Sequence[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]
