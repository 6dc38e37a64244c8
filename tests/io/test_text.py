"""Text for a terminal: characters that nothing is drawn for are escaped, all others stay."""

import sys
from unicodedata import category

import pytest

from pixzip.io.text import LONGEST, escaped, shortened


def test_only_characters_that_are_drawn_in_their_place_stay() -> None:
    drawn = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"}
    drawn |= {"Sm", "Sc", "Sk", "So", "Zs"}
    wrong = []
    for code in (*range(0x30000), *range(0xE0000, 0xE0200), *range(sys.maxunicode - 9, sys.maxunicode + 1)):
        shown = escaped(character := chr(code))
        if shown != character and not (shown.isascii() and shown.isprintable()):
            wrong.append(character)
        if shown == character and category(character) not in drawn:
            wrong.append(character)
    assert not wrong


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b]0;t\x07.png", r"a\x1b]0;t\x07.png"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("two\r\nlines\u2028\u2029", r"two\r\nlines\u2028\u2029"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),
        ("\u2066a\u2069\u200e\u200f\u061c", r"\u2066a\u2069\u200e\u200f\u061c"),
        ("a\u200b\ufeff\u00ad\u3164", r"a\u200b\ufeff\xad\u3164"),
        ("\udcff\U000e0041", r"\udcff\U000e0041"),
        ("Grüße 写真\u3000ñ 🖼 \\x1b", "Grüße 写真\u3000ñ 🖼 \\x1b"),
    ],
)
def test_escapes_are_those_of_python(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown


def test_a_long_text_keeps_its_ends() -> None:
    assert shortened("x" * LONGEST) == "x" * LONGEST
    short = shortened("start" + "x" * 10**6 + "end")
    assert short.startswith("start")
    assert short.endswith("end")
    assert f"...{10**6 + 8 - LONGEST} characters..." in short
    assert len(short) < LONGEST + 50
