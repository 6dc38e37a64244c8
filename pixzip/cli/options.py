"""Options that several commands share, and checks of their combinations."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial, wraps
from typing import Any

import click
from click.shell_completion import CompletionItem
from pixcodecs.container import limits
from pixcodecs.errors import PixzipError

from pixzip.io import streams
from pixzip.io.text import escaped
from pixzip.models import library
from pixzip.trees.manifest import Shard

#: The way to a model that draws images.
FAMILY_MODELS = (
    "images are drawn by models of the PixelRNN family, such as pixelcnn-mnist; `pixzip models` lists those that are"
    " shipped, and `pixzip train --data FOLDER --config gated-pixelcnn-photos-small -o DIR` makes DIR/model.safetensors"
)
#: Most threads that can be asked for.
MOST_THREADS = 1024
#: Most parts of a job array.
MOST_SHARDS = 1_000_000
#: Pixels of the longest side of an image that is sampled or completed.
MOST_SIDE = 1024


def complete_paths(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete files."""
    return [CompletionItem(incomplete, type="file")]


def complete_models(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and the names of shipped and local models; files first, because bash drops everything before them.

    Names that a terminal cannot show as they are, which a shell would write to it, are left out.
    """
    found = [CompletionItem(incomplete, type="file")]
    names = (name for name in library.known_paths() if name.startswith(incomplete) and name == escaped(name))
    return found + [CompletionItem(name) for name in names]


class ThreadCount(click.ParamType[int]):
    """A number of threads."""

    name = "threads"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """
        Raises:
            PixzipError: the value is not a number from 1 to `MOST_THREADS`.
        """
        try:
            threads = int(value)
        except ValueError:
            threads = 0
        if not 1 <= threads <= MOST_THREADS:
            raise PixzipError(f"{value!r} threads, expected a number from 1 to {MOST_THREADS}")
        return threads


class ShardNumber(click.ParamType[Shard]):
    """A part of a job array, I/N."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        if found := re.fullmatch(r"(\d{1,7})/(\d{1,7})", str(value), re.ASCII):
            index, count = map(int, found.groups())
            if 1 <= index <= count <= MOST_SHARDS:
                return Shard(index, count)
        raise click.BadParameter(f"{value!r} is not I/N, with I from 1 to N and N at most {MOST_SHARDS}", ctx, param)


device_option = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
no_limit_option = click.option(
    "--no-pixel-limit",
    is_flag=True,
    help=f"Take images of more than {limits.MAX_PIXELS} pixels, and files that cost much for their size: "
    "trusted files only.",
)
model_option = click.option(
    "--model", default="base", show_default=True, metavar="NAME|PATH", shell_complete=complete_models,
    help="Model, as `pixzip models` lists them, or a weights file.",
)  # fmt: skip
effort_option = click.option(
    "-e", "--effort", type=click.IntRange(1, 9), default=5, show_default=True, metavar="1..9",
    help="1 is fastest, 9 makes the smallest files: 1-3 with the model fast, 4-9 with base; 1 does not adapt it.",
)  # fmt: skip
effort_model_option = click.option(
    "--model", metavar="NAME|PATH", shell_complete=complete_models,
    help="Model, as `pixzip models` lists them, or a weights file (default: that of the effort).",
)  # fmt: skip
extra_models_option = click.option(
    "--model", "extra", multiple=True, metavar="NAME|PATH", shell_complete=complete_models,
    help="Weights file to use too.",
)  # fmt: skip
pixels_option = click.option(
    "--pixels", is_flag=True, help="Code the pixels that a JPEG decodes to, instead of keeping the file byte for byte."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True)
class Manner:
    """The options for handling files that commands share."""

    recursive: bool = False
    quiet: bool = False
    verbose: bool = False
    json_lines: bool = False
    threads: int | None = None
    force: bool = False
    remove: str = ""
    dry_run: bool = False
    workers: int | None = None
    scheduler: str | None = None
    shard: Shard | None = None

    @property
    def spread(self) -> bool:
        """Whether other processes do the work."""
        return self.workers is not None or self.scheduler is not None

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise click.UsageError("-q and -v do not go together")
        if self.remove and self.dry_run:
            raise click.UsageError("--dry-run does not say which originals --rm would remove: that shows in the work")
        if self.workers is not None and self.scheduler is not None:
            raise click.UsageError("--workers and --scheduler do not go together: each says where the workers are")
        if self.spread and self.threads is not None:
            raise click.UsageError("-j does not go with --workers and --scheduler: each worker has one thread")


#: Values of `--rm`: what must come back of an original that it removes.  The first is that of `--rm` alone.
BYTES, PIXELS = REMOVALS = ("bytes", "pixels")
_KEEP = "keep"

#: Options of every command that computes.
_COMPUTING = (
    click.option("-q", "--quiet", is_flag=True, help="Say errors only."),
    click.option("-v", "--verbose", is_flag=True, help="Say a line for each file, or more in one."),
    click.option(
        "-j", "--threads", type=ThreadCount(), metavar="N", help="Threads to compute with (default: all cores)."
    ),
)
_READING = (
    click.option("-r", "--recursive", is_flag=True, help="Take folders, and all in them and below."),
    *_COMPUTING,
    click.option("--json", "json_lines", is_flag=True, help="Print a line of JSON for each file, and one of totals."),
    click.option(
        "--workers",
        type=click.IntRange(1, MOST_THREADS),
        metavar="N",
        help="Share the files between N processes of one thread each, by Dask.",
    ),
    click.option(
        "--scheduler", metavar="URL", help="Share them between the workers of a Dask cluster: tcp://HOST:8786."
    ),
    click.option(
        "--shard", type=ShardNumber(), metavar="I/N", help="Take part I of N of the files, as in a job array."
    ),
)
_WRITING = (
    click.option("-f", "--force", is_flag=True, help="Overwrite outputs that exist."),
    click.option(
        "--rm",
        "remove",
        type=click.Choice([*REMOVALS, _KEEP]),
        default=_KEEP,
        metavar="[=pixels]",
        help="Remove each original once what was written gives back its very bytes; or only its pixels and metadata.",
    ),
    click.option("--keep", is_flag=True, expose_value=False, help="Keep each original (default)."),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
)


def manner_options(*, writes: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add all options of `Manner` for a command on many files, which receives them as `manner`."""
    return partial(_with_manner, options=(*_READING, *(_WRITING if writes else ())))


def computing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `-q`, `-v` and `-j`, which the command receives as `manner`."""
    return _with_manner(command, _COMPUTING)


def writing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `-q`, `-v`, `-j` and `-f`, which the command receives as `manner`."""
    return _with_manner(command, (*_COMPUTING, _WRITING[0]))


class Command(click.Command):
    """A command with `--rm`, whose value may be left out, and `--keep`, the last of which counts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # click would take the next argument, which may be a file, for the value
        meant = {"--rm": f"--rm={BYTES}", "--keep": f"--rm={_KEEP}"}
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [meant.get(arg, arg) for arg in args[:end]] + args[end:])


def _with_manner(command: Callable[..., None], options: Sequence[Callable[..., Any]]) -> Callable[..., None]:
    @wraps(command)
    def called(**given: Any) -> None:
        names = {field.name for field in fields(Manner)} & given.keys()
        if given.get("remove") == _KEEP:
            given["remove"] = ""
        manner = Manner(**{name: given.pop(name) for name in names})
        command(manner=manner, **given)

    found: Callable[..., None] = called
    for option in reversed(options):
        found = option(found)
    return found


def refuse_with(option: str, given: dict[str, bool], why: str) -> None:
    """
    Args:
        given: name of another option -> whether it is given, too.
    Raises:
        UsageError: one of them is given.
    """
    for name, there in given.items():
        if there:
            raise click.UsageError(f"{option} does not go with {name}: {why}")


def check_streams(manner: Manner, inputs: Sequence[str], out: str | None) -> None:
    """
    Raises:
        UsageError: `--rm`, `--json` or workers are combined with standard input or output.
    """
    if manner.spread:
        standard = {"standard input": streams.STANDARD in inputs, "standard output": out == streams.STANDARD}
        refuse_with("--workers or --scheduler", standard, "workers open files by their names")
    if manner.remove:
        standard = {"standard input": streams.STANDARD in inputs, "standard output": out == streams.STANDARD}
        refuse_with("--rm", standard, "there is no file to remove, or none to read back")
    if manner.json_lines and out == streams.STANDARD and not manner.dry_run:
        raise click.UsageError("--json does not go with -o -: both are for standard output")
