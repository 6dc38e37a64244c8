"""`pixzip install-desktop`."""

import click

from pixzip.cli.options import Manner, computing_options


@click.command("install-desktop")
@click.option("--user", is_flag=True, help="For this user: what there is so far.")
@click.option("--remove", "undo", is_flag=True, help="Remove what was installed.")
@computing_options
def install_desktop(user: bool, undo: bool, manner: Manner) -> None:
    """Tell the desktop of .pxz files: their MIME type, and a command for their thumbnails.

    Desktops that follow freedesktop.org (GNOME, Xfce, MATE, Cinnamon) find both below XDG_DATA_HOME, by default
    ~/.local/share.
    """
    if not user:
        raise click.UsageError("--user is missing: files of the whole system are for its package manager to install")
    from pixzip.cli.work import desktop

    desktop.change(remove=undo, manner=manner)
