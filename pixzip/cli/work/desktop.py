"""The work of `pixzip install-desktop`: files of the shared MIME-info and thumbnailer specifications.

The first is https://specifications.freedesktop.org/shared-mime-info-spec/; a thumbnailer's entry, which has no page
there, is read by the file managers of GNOME, Xfce, MATE and Cinnamon.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pixcodecs.errors import PixzipError

from pixzip.cli.options import Manner
from pixzip.cli.say import say
from pixzip.io import files

MIME = "image/x-pxz"
_TYPE = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME}">
    <comment>pixzip image</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60">
      <match type="string" offset="0" value="\\x89PX"/>
    </magic>
    <glob pattern="*.pxz"/>
  </mime-type>
</mime-info>
"""
_THUMBNAILER = """\
[Thumbnailer Entry]
TryExec={program}
Exec={words} thumbnail --quiet --force --size %s --output %o %i
MimeType={mime};
"""


def change(*, remove: bool, manner: Manner) -> None:
    """Write the files, or remove them, and tell the database of MIME types.

    Args:
        manner: only `quiet` and `verbose` are used.
    Raises:
        PixzipError: the home folder is not known.
        OSError: a file cannot be written or removed.
    """
    data = _data_home()
    contents = {
        data / "mime" / "packages" / "pixzip.xml": _TYPE,
        data / "thumbnailers" / "pixzip.thumbnailer": _entry(),
    }
    for path, text in contents.items():
        if remove:
            path.unlink(missing_ok=True)
        else:
            files.write(str(path), text.encode(), force=True, make=True)
        if not manner.quiet:
            say(f"{path}: {'removed' if remove else 'written'}")
    _update(data / "mime", manner)


def _data_home() -> Path:
    """The folder of the user's data.

    Raises:
        PixzipError: it is not known.
    """
    given = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(given):  # noqa: PTH117 (relative ones are to be ignored)
        return Path(given)
    try:
        return Path.home() / ".local" / "share"
    except RuntimeError:
        raise PixzipError("the home folder is not known: XDG_DATA_HOME names the folder for the files") from None


def _entry() -> str:
    """The thumbnailer's entry, with the command that runs now."""
    script = Path(sys.executable).with_name("pixzip")
    words = [str(script)] if script.is_file() else [sys.executable, "-m", "pixzip"]
    return _THUMBNAILER.format(program=words[0], words=" ".join(map(_quoted, words)), mime=MIME)


def _quoted(word: str) -> str:
    """A word of a command as the desktop entry specification wants it.

    Raises:
        PixzipError: it cannot be written.
    """
    if not word.isprintable():
        raise PixzipError(f"{word!r} cannot be the program of a thumbnailer: install pixzip in another folder")
    word = word.replace("%", "%%")
    if not any(character in word for character in " \t\"'\\><~|&;$*?#()`"):
        return word
    quoted = '"' + "".join(f"\\{c}" if c in '"`$\\' else c for c in word) + '"'
    return quoted.replace("\\", "\\\\")  # the file's own escapes


def _update(folder: Path, manner: Manner) -> None:
    """Let the database of MIME types read its packages."""
    program = shutil.which("update-mime-database")
    if program is None:
        if not manner.quiet:
            say(f"pixzip: warning: update-mime-database is not there, which `update-mime-database {folder}` would run")
        return
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([program, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PixzipError(f"update-mime-database {folder} failed: {done.stderr.strip()[-200:]}")
