"""Text for a terminal: what files and names say cannot move its cursor, change its title or turn its lines round."""

import re
from unicodedata import category

#: Characters that Python calls printable although nothing is drawn for them.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_NOT_PLAIN = re.compile(r"[^ -~]")
#: Most characters of a message, which may quote a file; longer than any path.
LONGEST = 8192


def escaped(text: str) -> str:
    r"""The text with every character that is not drawn in its place written as in Python: \x1b, \n, \u202e, \udcff.

    These are control characters, line ends, format characters such as those that turn the direction of writing,
    invisible ones, unassigned ones, and the lone surrogates that stand for undecodable bytes of file names.
    """
    return text if text.isascii() and text.isprintable() else _NOT_PLAIN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if category(character) == "Zs" or (character.isprintable() and not _INVISIBLE.match(character)):
        return character
    return character.encode("unicode_escape").decode()


def shortened(text: str) -> str:
    """The text without its middle if it is longer than `LONGEST`, which is a bound for what a file can make it say."""
    left_out = len(text) - LONGEST
    if left_out <= 0:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ...{left_out} characters... {text[-half:]}"
