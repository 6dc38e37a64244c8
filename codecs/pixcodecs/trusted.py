"""Folders and files that only this user and root can write.

Reading a compiled kernel runs what is in it, so kernels of other users are as dangerous as their programs.
"""

import os
import stat
from pathlib import Path


def is_owned(status: os.stat_result) -> bool:
    """Whether a folder or file belongs to this user or root, and neither its group nor the world can write to it."""
    return not hasattr(os, "geteuid") or (  # Windows keeps folders of users apart by other means
        status.st_uid in (0, os.geteuid()) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _keeps(status: os.stat_result) -> bool:
    """Whether others cannot exchange what this user has in a folder: it is owned, sticky, or its group has only him."""
    if is_owned(status):
        return True
    if status.st_uid not in (0, os.geteuid()):
        return False
    if status.st_mode & stat.S_ISVTX:
        return True
    return not status.st_mode & stat.S_IWOTH and _is_private(status.st_gid)


def _is_private(gid: int) -> bool:
    """Whether a group has the user's name and no other members: many systems give such a group to each user."""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_name == user.pw_name and gid == user.pw_gid and set(group.gr_mem) <= {user.pw_name}


def is_trusted(folder: Path) -> bool:
    """Whether nobody but this user and root can write to a folder, or put another one in its place.

    Args:
        folder: without symbolic links, see `Path.resolve`.
    Raises:
        OSError: the folder cannot be examined.
    """
    return is_owned(folder.stat()) and all(_keeps(parent.stat()) for parent in folder.parents)
