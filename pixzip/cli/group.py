"""The group of all commands.

Each error is one line on standard error, and the exit code is 2.  A bad file among many is reported, and the
others are coded.  A command is imported when it is invoked, or when its help or completion is requested.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from pixcodecs.container import signature
from pixcodecs.errors import PixzipError

from pixzip.cli import environment
from pixzip.cli.errors import EXIT_ERROR, EXIT_PIPE, FILE_ERRORS, report
from pixzip.cli.say import show
from pixzip.cli.verbs import VERBS, Verb
from pixzip.io import outlets, signals
from pixzip.io.text import escaped, shortened


@contextmanager
def _escaped_usage() -> Iterator[None]:
    """Escape what click's own messages quote from the command line, because click prints them itself."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:  # a page of help
        raise
    except click.ClickException as e:
        vars(e)["message"] = shortened(escaped(e.message))
        raise


def _refuse_empty(args: Sequence[str]) -> None:
    """
    Raises:
        PixzipError: an argument is empty, as of a shell's variable that is not set; as a path it would be this folder.
    """
    for i, arg in enumerate(args):
        if not arg or re.fullmatch("--[a-z-]+=", arg):
            before = arg or " ".join(args[i - 1 : i])
            raise PixzipError(f"an empty argument{f' follows {before}' * bool(before)}, expected a name or a value")


class _Group(click.Group):
    """The group of verbs; turns errors into one line and an exit code."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if not ctx.resilient_parsing:
            _refuse_empty(rest)
        return name, command.load() if isinstance(command, Verb) else command, rest

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _escaped_usage():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        environment.settle()
        try:
            with _escaped_usage():
                return super().invoke(ctx)
        except FILE_ERRORS as e:
            report(None, e)
            ctx.exit(EXIT_ERROR)
        except ModuleNotFoundError as e:
            if (e.name or "").partition(".")[0] != "torch":
                raise
            report(None, PixzipError("this needs PyTorch, which is not installed: pip install torch"))
            ctx.exit(EXIT_ERROR)
        except outlets.StandardOutputError as e:
            e.add_note(signals.text())
            raise

    def main(self, *args: Any, **options: Any) -> Any:
        with outlets.guarded():
            try:
                return super().main(*args, **options)
            except outlets.StandardOutputError as e:
                if e.reader_left:
                    sys.exit(EXIT_PIPE)
                report(None, PixzipError("; ".join(filter(None, [str(e), *getattr(e, "__notes__", ())]))))
                sys.exit(EXIT_ERROR)


def _print_version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib import metadata

        try:
            version = metadata.version("pixzip")
        except metadata.PackageNotFoundError:
            version = "(not installed)"
        show(f"pixzip {version}, format version {signature.VERSION}")
        ctx.exit()


_EPILOG = """\b
Exit codes:
  0    everything was done
  1    pixzip itself failed: please report it
  2    wrong usage, or an input or output with an error, each named in a line on standard error
  141  the reader of standard output went away
  129, 130, 143  ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM, as a shell reports it

An output is there as a whole or not at all, whatever the exit code. One bad file does not stop
the rest. An original that --rm keeps for what would be lost with it is a warning, no error.
"""


@click.group(
    cls=_Group,
    commands=VERBS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show versions."
)
def main() -> None:
    """Lossless image compression by a learned model, decoded bit for bit on any machine."""
