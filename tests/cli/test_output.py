"""The output of commands about files: nothing, lines, JSON, a bar, a table."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pixcodecs import threads

from pixzip import codec, image
from pixzip.cli import progress
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import Manner
from pixzip.cli.work import large
from pixzip.cli.work.threads import set_threads
from tests.conftest import ROOT
from tests.helpers.shell import bad, good, pixels, run

FIELDS = {
    "name", "output", "status", "bytes_before", "bytes_after", "pixels", "seconds", "error", "warnings",
    "original_removed", "original_kept", "byte_for_byte", "why_not", "model_bytes",
}  # fmt: skip


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is a terminal, and a bar appears at once."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("pixzip.io.streams.is_terminal", lambda: True)
    monkeypatch.setattr(progress, "DELAY_S", 0.0)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def plain(text: str) -> str:
    """The text without escape sequences for cursor and colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_json_is_an_object_for_each_file_and_one_of_totals(shipped: Path) -> None:
    (shipped / "bad.png").write_bytes(b"no image")
    good("compress", "grey.png")
    result = bad("compress", "rgb.png", "grey.png", "bad.png", "--json", "--rm", words="bad.png: not an image")
    *rows, last = objects(result.stdout)
    found = {row["name"]: row for row in rows}
    assert all(row.keys() == FIELDS for row in rows)
    assert {name: row["status"] for name, row in found.items()} == {
        "rgb.png": "done", "grey.png": "skipped", "bad.png": "failed",
    }  # fmt: skip
    done = found["rgb.png"]
    assert done["output"] == "rgb.png.pxz"
    assert done["bytes_after"] == (shipped / "rgb.png.pxz").stat().st_size
    assert done["pixels"] == 9 * 12
    assert 0 < done["seconds"] < last["total"]["seconds"]
    assert done["original_removed"]
    assert found["bad.png"]["error"].startswith("not an image")
    total = last["total"]
    assert (total["files"], total["done"], total["skipped"], total["failed"], total["would"]) == (3, 1, 1, 1, 0)
    assert {name: total[name] for name in ("bytes_before", "bytes_after", "pixels")} == {
        name: done[name] for name in ("bytes_before", "bytes_after", "pixels")
    }


def test_the_docs_name_every_field() -> None:
    page = (ROOT / "docs" / "shell.md").read_text()
    for name in FIELDS | {"total", "files", "done", "skipped", "failed", "would"}:
        assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", page), name


def test_json_of_decompress_verify_and_a_dry_run(shipped: Path) -> None:
    good("compress", "rgb.png", "grey.png")
    size = (shipped / "rgb.png.pxz").stat().st_size
    (row, _) = objects(good("decompress", "rgb.png.pxz", "-o", "x.png", "--json").stdout)
    assert (row["bytes_before"], row["bytes_after"]) == (size, (shipped / "x.png").stat().st_size)
    (row, _) = objects(good("verify", "rgb.png.pxz", "--json").stdout)
    assert (row["status"], row["output"], row["bytes_before"], row["pixels"]) == ("done", None, size, 108)
    row, total = objects(good("compress", "rgb.png", "-o", "y", "--json", "--dry-run").stdout)
    assert (row["status"], row["output"], total["total"]["would"]) == ("would", "y", 1)


def test_json_of_a_stack_and_of_warnings(shipped: Path) -> None:
    good("compress", "--stack", "rgb.png", "-o", "s.pxz")
    row, total = objects(good("decompress", "s.pxz", "-o", "out", "--json").stdout)
    assert (row["status"], row["output"], row["pixels"]) == ("done", "out", 108)
    assert row["bytes_after"] == (shipped / "out" / "rgb.png").stat().st_size
    assert total["total"]["done"] == 1
    (shipped / "more.png").write_bytes((shipped / "rgb.png").read_bytes() + b"more")
    row, _ = objects(good("compress", "more.png", "--json", "--no-original").stdout)
    assert len(row["warnings"]) == 1
    assert run("compress", "rgb.png", "--json", "-o", "-").exit_code == 2


def test_quiet_says_errors_alone_and_verbose_a_line_for_each(shipped: Path) -> None:
    (shipped / "more.png").write_bytes((shipped / "rgb.png").read_bytes() + b"more")
    result = bad("compress", "more.png", "nowhere.png", "rgb.png", "-q", words="nowhere.png: No such file")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    result = good("compress", "more.png", "rgb.png", "-f", "-v")
    lines = [line for line in result.stderr.splitlines() if " -> " in line]
    assert len(lines) == 2
    before, after = ((shipped / name).stat().st_size for name in ("rgb.png", "rgb.png.pxz"))
    start = f"rgb.png -> rgb.png.pxz: {before:,} -> {after:,} bytes, ratio {before / after:.3f}, "
    assert re.fullmatch(re.escape(start) + r"\d+\.\d\d s", lines[1])
    assert good("compress", "rgb.png", "-f").stderr == ""
    assert "do not go together" in run("compress", "rgb.png", "-q", "-v").stderr


def test_the_closing_table_counts_many_files(shipped: Path) -> None:
    (shipped / "bad.png").write_bytes(b"no image")
    good("compress", "grey.png", "-o", "grey.png.pxz")
    result = run("compress", "rgb.png", "grey.png", "bad.png", "-v")
    heads, cells = result.stderr.splitlines()[-2:]
    assert re.split(r"\s{2,}", heads.strip()) == [
        "files", "bytes before", "bytes after", "ratio", "seconds", "MP/s", "skipped", "failed",
    ]  # fmt: skip
    found = cells.split()
    assert (found[0], found[6], found[7]) == ("1", "1", "1")
    assert found[1] == f"{(shipped / 'rgb.png').stat().st_size:,}"
    assert "files" not in good("compress", "rgb.png", "-f", "-v").stderr  # one file's line says all


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_one_bar_and_a_table_within_80_columns(shipped: Path) -> None:
    for i in range(3):
        (shipped / f"{i}.png").write_bytes(image.write(codec.as_picture(pixels(9, 12, 3, seed=i))))
    result = good("compress", "0.png", "1.png", "2.png", "--rm")
    said = plain(result.stderr)
    shown = re.findall(r"compressing .*?left", said)
    assert shown
    assert all(re.search(r"\d+\.\d/\d+\.\d MB  \d+\.\d\d MP/s  ratio (-|\d+\.\d\d)  ", line) for line in shown)
    assert max(len(line) for part in said.splitlines() for line in part.split("\r")) <= 80
    assert said.count("bytes before") == 1
    assert result.stdout == ""
    quiet = good("compress", "rgb.png", "grey.png", "-q")
    assert (quiet.stdout, quiet.stderr) == ("", "")


@pytest.mark.usefixtures("terminal", "large")
def test_large_files_have_a_bar_too(shipped: Path) -> None:
    for args in (["compress", "rgb.png", "--rm", "--verify"], ["decompress", "rgb.png.pxz", "--rm"]):
        shown = re.findall(r"compressing .*?left", plain(good(*args).stderr))
        assert shown[-1].endswith(" 0:00 left")


def test_a_large_files_phases_are_equal_parts_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(progress.FilesBar, "_show", lambda self, *found: shown.append(found))
    phases = large.Phases(progress.FilesBar("compressing", 100, False), 100, 10, 2)
    for _ in range(2):
        report = phases()
        report(1, 2)
        report(2, 2)
    assert shown == [(25, 2.5), (50, 5), (75, 7.5), (100, 10)]


@pytest.mark.usefixtures("terminal")
def test_a_bar_and_json_do_not_meet(shipped: Path) -> None:
    result = good("compress", "rgb.png", "grey.png", "--json")
    assert len(objects(result.stdout)) == 3


def test_the_bar_counts_bytes_of_all_files(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    request.getfixturevalue("terminal")
    with progress.FilesBar("compressing", 4_000_000, True) as bar:
        bar.part(2_000_000, 1_000_000)(1, 2)
        bar.before, bar.after = 2_000_000, 1_000_000
        bar.advance(2_000_000, 1_000_000)
        bar.part(2_000_000, 1_000_000)(1, 2)
        bar.say("a line [above] it")
    said = plain(capsys.readouterr().err)
    assert "1.0/4.0 MB" in said
    assert "3.0/4.0 MB" in said
    assert "ratio 2.00" in said
    assert "a line [above] it\n" in said


@pytest.mark.usefixtures("terminal")
def test_a_bar_of_many_files_counts_those_that_are_finished(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.FilesBar("compressing", 3_000_000, True, files=1200) as bar:
        bar.advance(1_000_000, 1)
        bar.files += 1100
        bar.advance(1_000_000, 1)
    said = plain(capsys.readouterr().err)
    assert "0/1,200 files" in said
    assert "1,100/1,200 files" in said


def test_threads_are_those_of_the_pools(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, found = threads.get_threads(), []
    compress = codec.compress

    def counted(*args: Any, **given: Any) -> list[bytes]:
        found.append(threads.get_threads())
        return compress(*args, **given)

    monkeypatch.setattr(codec, "compress", counted)
    try:
        for count in (1, 2):
            good("compress", "rgb.png", "-f", "-j", count)
        assert found == [1, 2]
        assert run("compress", "rgb.png", "-j", "0").exit_code == 2
    finally:
        set_threads(before)


def test_options_that_a_stack_does_not_take_are_wrong_usage(shipped: Path) -> None:
    for option in ("--rm", "--dry-run", "--json"):
        result = run("compress", "--stack", "rgb.png", "-o", "s.pxz", option)
        assert result.exit_code == 2
        assert f"--stack does not go with {option}" in result.stderr
    assert not (shipped / "s.pxz").exists()
    (shipped / "set").mkdir()
    (shipped / "rgb.png").rename(shipped / "set" / "rgb.png")
    line = good("compress", "--stack", "-r", "set", "-v", "-j", "1").stderr
    assert re.fullmatch(r"set -> set\.pxz: \d+ -> \d+ bytes, ratio \d\.\d{3}, \d+\.\d\d s\n", line)
    set_threads(threads.get_threads())


def test_an_entry_that_failed_is_not_done_later() -> None:
    ledger = Ledger("compressing", Manner(quiet=True))
    ledger.plan("a", "b", 1)
    ledger.fail("a", OSError(13, "Permission denied"))
    ledger.done("a")
    assert ledger["a"].status == "failed"
