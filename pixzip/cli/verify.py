"""`pixzip verify`."""

import click
from pixcodecs.container import limits

from pixzip.cli import inputs
from pixzip.cli.inspecting import Inspection
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import (
    Manner,
    complete_paths,
    device_option,
    extra_models_option,
    manner_options,
    no_limit_option,
)  # fmt: skip
from pixzip.cli.spreading import reachable, spread
from pixzip.io.names import SUFFIX

KIND = inputs.InputKind(f"{SUFFIX} files", lambda: frozenset({SUFFIX}))


@click.command()
@click.argument("packed", nargs=-1, required=True, metavar="FILE.pxz...", shell_complete=complete_paths)
@extra_models_option
@device_option
@no_limit_option
@manner_options(writes=False)
def verify(
    packed: tuple[str, ...], extra: tuple[str, ...], device: str, no_pixel_limit: bool, manner: Manner
) -> None:  # fmt: skip
    """Decode .pxz files, stacks too, and check all their checksums; nothing is written.

    With -r the manifests in the folders are read, too: files that they name and that are missing, or have another
    SHA-256, are errors; files that no manifest names are counted.
    """
    ledger = Inspection(manner)
    folders = inputs.plan(ledger, packed, None, KIND)
    ledger.take_stock(folders)
    most = None if no_pixel_limit else limits.MAX_PIXELS

    extra = reachable(manner, extra)

    def work(at: Ledger, names: list[str]) -> None:
        from pixzip.cli.work.verify import Verification

        Verification(at, extra, device, most).run(names)

    ledger.carry_out(ledger.with_others(spread(manner, work)))
