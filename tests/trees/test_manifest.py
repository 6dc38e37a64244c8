"""Manifests: what is believed of them, whoever was killed while it wrote one."""

import json
from pathlib import Path

import pytest
from pixcodecs.errors import PixzipError

from pixzip.trees import manifest
from pixzip.trees.manifest import Done, Manifest, Record, Shard


def record(output: str, *, size: int = 5, bytes: int | None = 3, state: str = manifest.DONE) -> Record:  # noqa: A002
    return Record("a\udcff.png", size, 10**18 + 1, output, bytes, "ab" * 32 if bytes else None, state)


def written(path: Path, *records: Record) -> Path:
    made = Manifest(path)
    for found in records:
        made.append(found)
    made.close()
    return path


def holds(done: Done, found: Record) -> bool:
    return done.holds(found.output, found.size, found.mtime_ns, found.bytes or 0)


def test_records_come_back_exactly_and_are_one_line_of_ascii_each(tmp_path: Path) -> None:
    made = [record("x"), record("y\n\u202e", bytes=None, state=manifest.FAILED)._replace(error="why")]
    path = written(tmp_path / "m", *made)
    assert list(manifest.read(path)) == made
    lines = path.read_bytes().decode("ascii").splitlines()
    assert [json.loads(line)["version"] for line in lines] == [1, 1]


def test_a_torn_last_line_costs_only_its_record_and_the_next_run_appends_after_it(tmp_path: Path) -> None:
    path = written(tmp_path / "m", record("x"), record("y"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert list(manifest.read(path)) == [record("x")]
        written(path, record("z"))
        assert list(manifest.read(path)) == [record("x"), record("z")]


def test_a_damaged_byte_costs_at_most_the_records_of_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "m", record("x"), record("y"), record("z"))
    whole = path.read_bytes()
    starts = [0, whole.index(b"\n") + 1]
    for at in range(*starts):
        for flip in (1, 128):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            try:
                found = list(manifest.read(path))
            except PixzipError as e:
                assert "version" in str(e)  # noqa: PT017
                continue
            assert found[-1] == record("z")
            assert record("y") in found or at == starts[1] - 1


@pytest.mark.parametrize(
    "line",
    ["[]", "{}", "null", "[" * 9000, '{"version":1}', '{"version":true,"input":1}', "9" * 5000, "x" * 200_000],
)
def test_what_is_no_record_is_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m"
    path.write_text(f"{line}\n{record('x').line()}\n{record('x').line().replace('5', '5.0', 1)}\n")
    assert list(manifest.read(path)) == [record("x")]


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m", record("x"))
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    with pytest.raises(PixzipError, match="has version 2, this program reads version 1: use a later one"):
        list(manifest.read(path))


def test_only_the_same_input_and_an_output_of_the_same_size_are_done() -> None:
    done = Done([record("x"), record("failed", state=manifest.FAILED)])
    assert holds(done, record("x"))
    for other in (record("y"), record("x", size=6), record("x", bytes=4), record("x")._replace(mtime_ns=1)):
        assert not holds(done, other)
    assert not holds(done, record("failed"))
    assert not holds(Done([record("x"), record("x", size=6)]), record("x"))


def test_the_manifests_of_a_job_array_are_read_as_one_and_where_they_disagree_nothing_is_known(tmp_path: Path) -> None:
    assert len(manifest.read_all(tmp_path / "new")) == 0
    written(manifest.path_in(tmp_path), record("x"), record("both"))
    written(manifest.path_in(tmp_path, Shard(1, 2)), record("y"), record("both", size=7))
    written(manifest.path_in(tmp_path, Shard(2, 2)), record("both"))
    done = manifest.read_all(tmp_path)
    assert holds(done, record("x"))
    assert holds(done, record("y"))
    assert not holds(done, record("both"))
    assert len(done) == 3
