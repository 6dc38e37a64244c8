"""A stack's header: round trips, and refusal of damage, hostile values and names that leave their folder."""

import dataclasses
import lzma
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.container import image as container
from pixcodecs.container import names
from pixcodecs.container import stack as stacks
from pixcodecs.container.image import Layout
from pixcodecs.container.stack import Run, StackHeader, pack_header, read_header
from pixcodecs.errors import BitstreamError, UnsupportedImageError
from pixcodecs.primitives import Reader, deflate, varint

from pixzip.codec.options import Options
from pixzip.codec.stack import compress_stack, decompress_stack
from pixzip.models.base import Model
from tests.helpers.forging import file_v3
from tests.helpers.support import tiny_weights

SIDES = st.one_of(st.sampled_from([1, 127, 128, 16383, 16384, 65535]), st.integers(1, 65535))
CRC = st.integers(0, 2**32 - 1)
LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='\\/:*?"<>|')
NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: not names.problem(name))


@st.composite
def headers(draw: st.DrawFn) -> StackHeader:
    runs = draw(st.lists(st.tuples(st.integers(1, 5), SIDES, SIDES), min_size=1, max_size=5, unique_by=lambda r: r[1:]))
    images = sum(run[0] for run in runs)
    found = draw(st.lists(NAMES, min_size=images, max_size=images, unique_by=lambda name: name.encode().lower()))
    named = draw(st.sampled_from([(), tuple(found), tuple(f"{i}/{name}" for i, name in enumerate(found))]))
    kind = draw(st.sampled_from(stacks.LAYOUTS)), draw(st.sampled_from(stacks.DEPTHS))
    batch, size = draw(st.integers(1, stacks.MAX_BATCH)), draw(st.integers(0, 2**35 - 1))
    return StackHeader(*kind, batch, tuple(Run(*r) for r in runs), b"model-id", named, size, draw(CRC), draw(CRC))


@settings(max_examples=60)
@given(headers())
def test_headers_come_back(header: StackHeader) -> None:
    data = pack_header(header)
    assert read_header(data + b"payload", None) == dataclasses.replace(header, size_bytes=len(data))
    assert stacks.is_stack(data)


@settings(max_examples=60)
@given(headers())
def test_batches_cover_every_image_in_order(header: StackHeader) -> None:
    assert [(b.width, b.height) for b in header.batches() for _ in range(b.images)] == [
        (run.width, run.height) for run in header.runs for _ in range(run.images)
    ]
    for batch in header.batches():
        assert batch.images <= header.batch
        assert batch.images == 1 or batch.pixels <= stacks.BATCH_PIXELS


def test_images_of_one_size_become_one_run() -> None:
    assert stacks.runs([(3, 4), (3, 4), (4, 3), (3, 4)]) == (Run(2, 3, 4), Run(1, 4, 3), Run(1, 3, 4))


def _no_model(model_id: bytes) -> Model:
    raise AssertionError("damage was found only after the model was looked for")


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file of three images, with names."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, np.uint8) for shape in ((3, 4, 1), (3, 4, 1), (2, 1, 1))]
    return compress_stack(images, tiny_weights(1), names=["a.png", "b/a.png", "b/b.png"])


def test_every_truncation_is_rejected(small: bytes) -> None:
    for n in range(len(small)):
        with pytest.raises(BitstreamError):
            decompress_stack(small[:n], Options(model_by_id=_no_model))


def test_every_flipped_byte_is_rejected(small: bytes) -> None:
    for i in range(len(small)):
        for flip in (*(1 << bit for bit in range(8)), 0x55, 0xFF):
            with pytest.raises(BitstreamError):
                decompress_stack(small[:i] + bytes([small[i] ^ flip]) + small[i + 1 :], Options(model_by_id=_no_model))


def test_inserted_and_removed_bytes_are_rejected(small: bytes) -> None:
    for i in range(len(small)):
        for damaged in (small[:i] + small[i + 1 :], small[:i] + b"\0" + small[i:], small + small[i:]):
            with pytest.raises(BitstreamError):
                decompress_stack(damaged, Options(model_by_id=_no_model))


def test_readers_of_images_say_that_a_stack_is_one(small: bytes) -> None:
    with pytest.raises(BitstreamError, match="format version 3, a stack of images"):
        container.read_header(small)


def test_stacks_of_files_of_another_version_are_refused() -> None:
    for data in (b"", b"\x89PX", b"\x89PX\2" + bytes(60), bytes(64)):
        with pytest.raises(BitstreamError, match="not a stack"):
            read_header(data)


def _packed(data: bytes, way: bool) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 22}]
    body = lzma.compress(data, lzma.FORMAT_RAW, filters=filters) if way else deflate(data)
    return varint(len(body) << 1 | way) + body


#: Fields of hostile headers, made when they are needed.
HOSTILE: dict[str, Callable[[], dict[str, Any]]] = {
    "images": lambda: {"images": stacks.MAX_IMAGES, "runs": [(stacks.MAX_IMAGES, 65535, 65535)]},
    "payload": lambda: {"length": 2**35 - 1},
    "runs": lambda: {"images": stacks.MAX_IMAGES, "runs": [(1, 1, 1), (1, 2, 1)] * 1000},
    "names, inflated": lambda: {"flags": 0x20, "names": _packed(bytes(100 << 20), False)},
    "names, LZMA2": lambda: {"flags": 0x20, "names": _packed(bytes(100 << 20), True)},
    "names, many": lambda: {"flags": 0x20, "names": _packed(b"\n" * (names.MAX_NAMES_BYTES - 1), True)},
    "names, deep": lambda: {"flags": 0x20, "names": _packed(b"a/" * (names.MAX_NAMES_BYTES // 4) + b"a\na", True)},
    "names, long": lambda: {"flags": 0x20, "names": _packed(b"a" * (names.MAX_NAMES_BYTES - 2) + b"\na", True)},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_cost_little_memory(name: str) -> None:
    data = file_v3(**HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(BitstreamError) as found:
            decompress_stack(data, Options(model_by_id=_no_model, max_pixels=None))
        assert tracemalloc.get_traced_memory()[1] < 5 * names.MAX_NAMES_BYTES
    finally:
        tracemalloc.stop()
    assert len(str(found.value)) < 300


LEADING_OUT = [
    "", "/a", "//a", "a//b", "a/", "..", ".", "../a", "a/../b", "a/..", "./a", "a/./b", "a\\b", "..\\a", "C:", "C:a",
    "C:/a", "a:b", "a\0b", "a\nb", "a\rb", "a\x1bb", "a\x7fb", "a\x85b", "a/.. ", "... ", "a.", "a ", "a /b", "NUL",
    "nul.png", "b/Con", "com1.tar.png", "lpt9 .x", "COM¹", "aux", "conin$", "a*", "a?", "a|b", "<a", ">a", '"a"',
    "a" * 256, "é" * 128, "/".join("a" * 33), "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", LEADING_OUT)
def test_names_that_lead_elsewhere_are_refused_on_write_and_on_read(name: str) -> None:
    assert names.problem(name)
    with pytest.raises(UnsupportedImageError, match="name "):
        names.pack([name, "b"])
    text = f"{name}\nb".encode(errors="surrogatepass")
    for way in (False, True):
        found = names.take(Reader(_packed(text, way)))
        with pytest.raises(BitstreamError, match="names"):
            names.unpack(*found, 2)


PIECES = ["a", ".", "/", " ", "..", "con", "Com1", "nul", ":", "\\", "\n", "\x85", "\ud800", "¹", "\u0131", "conin$"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_names_that_are_good_at_a_glance_are_good(name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        at_a_glance = names.problem(name)
        patch.setattr(names, "_SHORT", -1)
        assert bool(names.problem(name)) == bool(at_a_glance)


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "A"), ("a/b", "a"), ("a/b/c", "A"), ("X/y", "x/Y")])
def test_names_that_are_one_file_are_refused_on_write_and_on_read(pair: tuple[str, str]) -> None:
    with pytest.raises(UnsupportedImageError, match="is there twice"):
        names.pack(pair)
    with pytest.raises(BitstreamError, match="is there twice"):
        names.unpack(*names.take(Reader(_packed("\n".join(pair).encode(), False))), 2)


@pytest.mark.parametrize("name", ["a", ".hidden", "..a", "a..b", " a", "ü/日本.png", "console.png", "com10", "é" * 127])
def test_other_names_are_taken(name: str) -> None:
    assert names.unpack(*names.take(Reader(names.pack([name]))), 1) == (name,)


def test_many_names_take_the_smaller_of_deflate_and_lzma() -> None:
    many = [f"class {i % 10}/image {i * 7919 % 10007:05}.png" for i in range(3000)]
    packed = names.pack(many)
    assert names.take(Reader(packed))[0]
    assert len(packed) < len(deflate("\n".join(many).encode()))
    assert names.unpack(*names.take(Reader(packed)), 3000) == tuple(many)
    assert not names.take(Reader(names.pack(["a"])))[0]


def test_fields_that_do_not_fit_are_a_callers_bug() -> None:
    good = StackHeader(Layout.GREY, 8, 1, (Run(1, 1, 1),), b"model-id", (), 0, 0, 0)
    pack_header(good)
    for change in (
        {"layout": Layout.RGBA}, {"depth": 4}, {"batch": 0}, {"runs": ()}, {"runs": (Run(1, 0, 1),)},
        {"model": b"short"}, {"runs": (Run(1, 1, 1), Run(1, 1, 1))}, {"names": ("a", "b")},
        {"runs": (Run(2, 1, 1), Run(0, 1, 2))},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"stack|batch|run|model"):
            pack_header(dataclasses.replace(good, **change))  # type: ignore[arg-type]
