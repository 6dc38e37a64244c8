"""The standard Huffman tables of JPEG [1], in the form in which JPEG XL notes them, as a dictionary for deflate.

Most JPEGs have these tables.  libjxl notes the tables of each, which takes some 400 bytes: much for a small JPEG.
A note may start at any bit, so the dictionary has each table eight times.

[1] ITU-T T.81, tables K.3 to K.6
"""

from functools import cache

#: Numbers of codes of 1 to 16 bits, and the symbols by increasing length: of luma DC and AC, of chroma DC and AC.
_TABLES = (
    bytes.fromhex("00010501010101010100000000000000000102030405060708090a0b"),
    bytes.fromhex(
        "0002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433"
        "627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475"
        "767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2"
        "d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
    bytes.fromhex("00030101010101010101010000000000000102030405060708090a0b"),
    bytes.fromhex(
        "00020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f01562"
        "72d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a7374"
        "75767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9"
        "cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
)
#: Ranges of the four forms of a number, as (first, bits).
_COUNT = (0, 0), (1, 0), (2, 3), (0, 8)
_SYMBOL = (0, 2), (4, 2), (8, 4), (1, 8)
#: The symbol that ends a table; its code is as long as the longest.
_LAST = 256


@cache
def dictionary() -> bytes:
    """The tables in turn, each with 0 to 7 zero bits before it."""
    return b"".join(_noted(table, zeros) for table in _TABLES for zeros in range(8))


def _noted(table: bytes, zeros: int) -> bytes:
    counts, symbols = [0, *table[:16]], [*table[16:], _LAST]
    counts[max(i for i, count in enumerate(counts) if count)] += 1
    value, size = 0, zeros
    for number, forms in [*((count, _COUNT) for count in counts), *((symbol, _SYMBOL) for symbol in symbols)]:
        form = next(i for i, (first, bits) in enumerate(forms) if first <= number < first + (1 << bits))
        first, bits = forms[form]
        value |= (form | number - first << 2) << size
        size += 2 + bits
    return value.to_bytes(-(-size // 8), "little")
