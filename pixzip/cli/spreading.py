"""Where the work of a command is done: in this process, or in those that `--workers` and `--scheduler` name."""

from collections.abc import Sequence

from pixzip.cli.ledger import Ledger, Work
from pixzip.cli.options import Manner


def spread(manner: Manner, work: Work) -> Work:
    """The same work, in other processes if the options say so.

    Args:
        work: goes to workers by value, so it must hold nothing but the command's arguments.
    """

    def elsewhere(ledger: Ledger, names: list[str]) -> None:
        from pixzip.cli.work import spread as spreading

        spreading.carry_out(ledger, work, names)

    return elsewhere if manner.spread else work


def reachable(manner: Manner, models: Sequence[str]) -> tuple[str, ...]:
    """Models as the workers find them, whose current folder may be another one."""
    if not manner.spread:
        return tuple(models)
    from pixzip.trees import clusters

    return tuple(map(clusters.reachable, models))
