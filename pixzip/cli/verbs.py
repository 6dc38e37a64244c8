"""The commands by name: the location of each, and its line in `pixzip --help`."""

from importlib import import_module

import click


class Verb(click.Command):
    """A command that is not imported yet: it can be listed and completed, and `load` imports the real one."""

    def __init__(self, name: str, place: str, help: str) -> None:  # noqa: A002 (as click's)
        """
        Args:
            place: "module:attribute" in `pixzip.cli`.
            help: first sentence of the command's own help.
        """
        super().__init__(name, help=help)
        self.place = place

    def load(self) -> click.Command:
        """Import the command."""
        module, attribute = self.place.split(":")
        found: click.Command = getattr(import_module(f"pixzip.cli.{module}"), attribute)
        return found


#: All commands, sorted by name.
VERBS = (
    Verb(
        "bench",
        "bench:bench",
        "Measure lossless codecs on images, folders and tars of them: report.json and index.html.",
    ),
    Verb(
        "complete",
        "sample:complete",
        "Keep the first rows of images of one size and draw the rest: a row of the grid each, the original first.",
    ),
    Verb("compress", "compress:compress", "Compress images to IMG.pxz; - is standard input."),
    Verb(
        "decompress",
        "decompress:decompress",
        "Decompress to the original file or a PNG, or as the output's suffix says; a stack to a folder or .npy.",
    ),
    Verb(
        "eval",
        "evaluate:evaluate",
        "Compare the model's own bits, without a stage, with a real file's; nothing is written.",
    ),
    Verb("heatmap", "heatmap:heatmap", "Draw how many bits each pixel takes, beside the image."),
    Verb("info", "info:info", "Describe a .pxz file, after checking its header and blocks."),
    Verb(
        "install-desktop",
        "desktop:install_desktop",
        "Tell the desktop of .pxz files: their MIME type, and a command for their thumbnails.",
    ),
    Verb(
        "models",
        "models:models",
        "List the models: shipped ones, and those in the folders that PIXZIP_MODELS lists, as PATH does.",
    ),
    Verb("sample", "sample:sample", "Draw images from a model."),
    Verb(
        "thumbnail",
        "thumbnail:thumbnail",
        "Write a small PNG of a .pxz file, of one image: what desktops call for thumbnails.",
    ),
    Verb("train", "train:train", "Train a model, or go on training it, and export it to DIR/model.safetensors."),
    Verb(
        "verify", "verify:verify", "Decode .pxz files, stacks too, and check all their checksums; nothing is written."
    ),
)
