"""Inputs: opened once, in parts or whole, and errors of files that change while they are read."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pixcodecs.container.image import read_header
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.io import streams
from pixzip.io.buffers import BufferFile, FileBuffer

DATA = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(DATA)
    return tmp_path / "file"


@pytest.fixture
def buffer(path: Path) -> FileBuffer:
    with path.open("rb") as f:
        return FileBuffer(f.fileno())


def _descriptors() -> int:
    """The number of open files, where the system tells."""
    return sum(1 for _ in Path("/proc/self/fd").glob("*"))


def test_a_buffer_has_the_slices_of_the_bytes(buffer: FileBuffer) -> None:
    assert len(buffer) == len(DATA)
    ends = (None, 0, 1, 5, 65535, 65536, 70000, len(DATA) - 1, len(DATA), len(DATA) + 9, -3)
    for start in ends:
        for stop in ends:
            assert buffer[start:stop] == DATA[start:stop]
    with pytest.raises(ValueError, match="step"):
        buffer[::2]


def test_a_buffer_keeps_its_file_open_and_closes_it(path: Path) -> None:
    before = _descriptors()
    with path.open("rb") as f:
        found = FileBuffer(f.fileno())
    path.unlink()
    assert found[:] == DATA
    del found
    assert _descriptors() == before


@pytest.mark.parametrize("left", [0, 100, 70000, len(DATA) - 1])
def test_what_is_cut_off_meanwhile_is_an_error_in_words(path: Path, buffer: FileBuffer, left: int) -> None:
    os.truncate(path, left)
    with pytest.raises(BitstreamError, match=f"changed while it was read: it had {len(DATA)} bytes, now {left}"):
        buffer[:]


def test_a_parser_that_takes_single_bytes_reads_in_larger_parts(
    path: Path, buffer: FileBuffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    read = FileBuffer._read

    def counted(self: FileBuffer, start: int, size: int) -> bytes:
        calls.append(size)
        return read(self, start, size)

    monkeypatch.setattr(FileBuffer, "_read", counted)
    assert b"".join(buffer[i : i + 1] for i in range(65000, 67000)) == DATA[65000:67000]
    assert len(calls) < 3


def test_files_of_a_buffer_have_positions_of_their_own(buffer: FileBuffer) -> None:
    one, other = BufferFile(buffer), BufferFile(buffer)
    one.seek(-10, os.SEEK_END)
    assert (one.read(), one.read(5), other.read(3), other.tell()) == (DATA[-10:], b"", DATA[:3], 3)
    other.seek(2, os.SEEK_CUR)
    assert other.read(1) == DATA[5:6]


def test_a_pipe_gives_its_head_and_all_its_bytes_in_one_reading(fifo: Callable[[bytes], str]) -> None:
    with streams.Input(fifo(DATA)) as source:
        assert source.stat is None
        assert source.head(10) == DATA[:10]
        assert source.head(70000) == DATA[:70000]
        assert source.head(3) == DATA[:3]
        assert source.read() == source.read() == source.file().read() == DATA
        assert source.size_bytes == len(DATA)


@pytest.mark.usefixtures("in_time")
def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def late() -> None:
        threading.Event().wait(0.1)
        os.write(writing, b"late")
        os.close(writing)

    thread = threading.Thread(target=late)
    thread.start()
    source = streams.Input(f"/dev/fd/{reading}")
    os.set_blocking(source._stream.fileno(), False)
    with source:
        assert source.read() == b"late"
    thread.join()
    os.close(reading)


def test_an_endless_input_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAM_BYTES", 100_000)
    with streams.Input("/dev/zero") as source, pytest.raises(PixzipError, match="more than 100000 bytes"):
        source.read()
    with pytest.raises(BitstreamError, match="not a pixzip file"):
        streams.read_pxz("/dev/zero")


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    assert b"Name:" in streams.read("/proc/self/status")


def test_a_file_that_grows_while_it_is_read_is_an_error(path: Path) -> None:
    with streams.Input(str(path)) as source:
        with path.open("ab") as f:
            f.write(b"more")
        with pytest.raises(PixzipError, match="changed while it was read"):
            source.read()


def test_large_pxz_files_are_read_in_parts_and_small_ones_are_not_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.pxz"
    file.write_bytes(b"\x89PX\2" + bytes(50))
    assert isinstance(streams.read_pxz(str(file)), bytes)
    monkeypatch.setattr(streams, "MAX_WHOLE_BYTES", 20)
    assert isinstance(streams.read_pxz(str(file)), FileBuffer)
    with pytest.raises(BitstreamError):
        read_header(streams.read_pxz(str(file)))
