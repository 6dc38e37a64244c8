"""What files and names say reaches a terminal escaped, whichever command prints it; JSON stays exact."""

import ast
import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from pixcodecs.primitives import varint
from safetensors.numpy import save

import pixzip.__main__
from pixzip import codec, image
from pixzip.cli import main, progress
from pixzip.cli.options import complete_models
from pixzip.io.text import escaped
from pixzip.models import library
from tests.conftest import ROOT
from tests.helpers.forging import Fields
from tests.helpers.shell import RGB, run
from tests.helpers.support import tiny_weights

TITLE = "\x1b]0;title\x07"
#: Names of files: a title, lines, colours, directions, invisible and undecodable characters, Rich's own markup.
NAMES = [
    TITLE, "two\nlines", "a\rb", "\x9b31mred", "\u202egnp", "\u2066x\u2069", "\u200bz\ufeff", os.fsdecode(b"\xff\xfe"),
    "[bold]b[red] :smile:",
]  # fmt: skip


def clean(result: Result) -> str:
    """The output of a command, all of whose lines are as they are shown."""
    for line in (text := result.stdout + result.stderr).split("\n"):
        assert line == escaped(line)
    return text


@pytest.fixture
def hostile(shipped: Path) -> list[str]:
    """Images of hostile names in the current folder."""
    names = [f"{name}.png" for name in NAMES]
    try:
        for name in names:
            (shipped / name).write_bytes(image.write(codec.as_picture(RGB)))
    except (OSError, UnicodeEncodeError):
        pytest.skip("the file system refuses such names")
    return names


def test_nothing_but_one_module_prints() -> None:
    """`say.py` for lines, Rich for bars and tables of escaped cells, and the end of the program."""
    printers = {
        "echo",
        "secho",
        "print",
        "print_exc",
        "print_exception",
        "pprint",
        "echo_via_pager",
        "prompt",
        "confirm",
    }
    found = set()
    for file in (ROOT / "pixzip").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = (
                called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            )
            text = ast.unparse(called)
            if name in printers or text in ("sys.stderr.write", "sys.stdout.write", "os.write") or "Console" in text:
                found.add((file.relative_to(ROOT / "pixzip").as_posix(), text))
    assert found == {
        ("cli/say.py", "click.echo"),
        ("cli/say.py", "console.print"),
        ("cli/work/terminal.py", "Console"),
        ("cli/work/terminal.py", "console.print"),
        ("__main__.py", "os.write"),
        ("trees/manifest.py", "os.write"),  # to its file
        ("__main__.py", "sys.stderr.write"),
    }


def test_names_of_images_and_files(hostile: list[str]) -> None:
    packed = [f"{name}.pxz" for name in hostile]
    text = clean(run("compress", *hostile, "--dry-run"))
    assert r"\x1b]0;title\x07.png -> \x1b]0;title\x07.png.pxz" in text
    assert "[bold]b[red] :smile:.png -> " in text
    done = run("compress", *hostile, "-v", "--models-only")
    assert (done.exit_code, clean(done).count("\n")) == (0, len(hostile) + 2)
    for arguments in (
        ("compress", *hostile),
        ("compress", *hostile, "-o", packed[0]),
        ("verify", *packed, "-v"),
        ("decompress", *packed, "-v"),
        ("decompress", *packed, "-f", "-v", "--rm"),
        ("eval", *hostile, "-v"),
        ("eval", *packed),
        ("info", hostile[0]),
        ("info", packed[0]),
        ("info", TITLE),
        ("heatmap", hostile[0], "-v"),
        ("heatmap", packed[0]),
        ("heatmap", hostile[0], "-o", TITLE),
        ("complete", *hostile, "--keep-rows", 1, "--model", TITLE, "-o", "x.png"),
        ("sample", "--model", "base", "-o", TITLE),
        ("decompress", "rgb.png", "--model", TITLE),
        ("decompress", "rgb.png", "--region", TITLE),
        ("compress", "rgb.png", "--model", TITLE),
        ("train", "--data", hostile[0], "--config", TITLE, "-o", "t", "--set", TITLE),
        ("train", "--data", TITLE, "--config", "tiny", "-o", "t"),
        (TITLE,),
        ("compress", "--\x1b\nb"),
        ("info", "--model", TITLE),
    ):
        clean(run(*arguments))


def test_json_keeps_every_character_of_a_name(hostile: list[str]) -> None:
    *rows, _ = map(json.loads, run("compress", *hostile, "--json").stdout.splitlines())
    assert [row["name"] for row in rows] == hostile
    assert [json.loads(run("info", f"{name}.pxz", "--json").stdout)["file"] for name in hostile] == [
        f"{name}.pxz" for name in hostile
    ]


def test_names_inside_a_stack(hostile: list[str]) -> None:
    Path("set").mkdir()
    Path("set", hostile[0]).write_bytes(Path(hostile[0]).read_bytes())
    for arguments in (("compress", "--stack", "set", "-v"), ("compress", "--stack", hostile[0], "-v", "--no-names")):
        clean(run(*arguments))
    clean(run("info", f"{hostile[0]}.pxz"))
    clean(run("decompress", f"{hostile[0]}.pxz", "-v"))


@pytest.mark.parametrize("kind", [TITLE.encode()[:4], b"t\x9bE\x85", b"a\nbc", b"\xff\xfe\xfd\xad"])
def test_types_of_chunks(shipped: Path, kind: bytes) -> None:
    run("compress", "rgb.png", "-o", "a.pxz")
    fields = Fields.of((shipped / "a.pxz").read_bytes())
    body = kind + TITLE.encode()
    fields.extras, fields.flags = b"\x03" + varint(len(body)) + body, fields.flags | 0x20
    (shipped / "a.pxz").write_bytes(fields.write())
    text = clean(run("info", "a.pxz"))
    for arguments in (
        ("decompress", "a.pxz", "-v"),
        ("decompress", "a.pxz", "-o", "a.ppm"),
        ("heatmap", "a.pxz", "-v"),
    ):
        clean(run(*arguments))
    listed = run("info", "a.pxz", "--json")
    if listed.exit_code == 0:
        assert json.loads(listed.stdout)["metadata"] == [kind.decode("latin-1")]
        assert escaped(kind.decode("latin-1")) in text


@pytest.mark.parametrize(
    "meta",
    [
        {"architecture": TITLE},
        {"architecture": "wavefront-pixelcnn-1", "config": json.dumps({TITLE: 1}), "order": "[0]"},
        {"architecture": "wavefront-pixelcnn-1", "config": json.dumps(TITLE), "order": "[0]"},
        {"architecture": "pixelcnn-1", "config": json.dumps({TITLE: 1, "\u202e": 2})},
    ],
)
def test_texts_of_weights_files(folder: Path, meta: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "own").mkdir()
    monkeypatch.setenv("PIXZIP_MODELS", "own")
    data = save({TITLE: np.zeros(1, np.int8)}, meta)
    (folder / "own" / f"{TITLE}.safetensors").write_bytes(data)
    (folder / "own" / "[red]good\n.safetensors").write_bytes(tiny_weights(3).to_bytes())
    assert r"[red]good\n" in clean(run("models"))
    monkeypatch.setattr("pixzip.cli.models.on_terminal", lambda: True)
    assert r"[red]good\n" in clean(run("models"))
    for model in (f"own/{TITLE}.safetensors", TITLE):
        result = run("compress", "rgb.png", "--model", model, "--models-only")
        assert result.exit_code == 2
        assert r"\x1b" in clean(result)
    clean(run("sample", "--model", f"own/{TITLE}.safetensors", "-o", "x.png"))


def test_names_in_a_report(hostile: list[str], shipped: Path) -> None:
    (shipped / "set").mkdir()
    for name in hostile:
        (shipped / name).rename(shipped / "set" / name)
    (shipped / "set" / f"{TITLE}bad.png").write_bytes(b"none")
    result = run("bench", "set", "--codecs", "png", "--heatmaps", 1, "-o", f"{TITLE}out", "-v", "-j", 1)
    assert result.exit_code == 2  # for the file that is no image
    assert r"\x1b]0;title\x07out" in clean(result)
    page = (shipped / f"{TITLE}out" / "index.html").read_text()
    assert all(escaped(line) == line for line in page.split("\n"))
    report = json.loads((shipped / f"{TITLE}out" / "report.json").read_text())
    assert sorted(i["image"] for i in report["images"]) == sorted(hostile)


def test_a_models_name_that_is_no_plain_text_is_not_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plain", TITLE, "pl\nain"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    monkeypatch.setenv("PIXZIP_MODELS", str(tmp_path))
    items = complete_models(None, None, "")  # type: ignore[arg-type]
    assert {item.value for item in items} - library.shipped_paths().keys() - library.family_paths().keys() == {
        "",
        "plain",
    }


def test_an_error_of_pixzip_itself_is_escaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    pixzip.__main__._fail(ValueError, ValueError(f"{TITLE}\u202e"), None)
    assert stream.getvalue() == "ValueError: \\x1b]0;title\\x07\\u202e\n"


def test_a_line_ends_even_if_a_file_wants_it_to_go_on(shipped: Path) -> None:
    result = run("compress", "x" * 300_000)
    assert result.exit_code == 2
    assert result.stderr.startswith("pixzip: xxx")
    assert "File name too long" in result.stderr
    assert result.stderr.endswith("\n")
    assert len(result.stderr) < 10_000


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """All that is written to standard error, a real terminal of 80 columns; complete at the end."""
    master, slave = os.openpty()
    written = io.BytesIO()

    def read() -> None:
        with suppress(OSError):  # Linux's way to report the end
            while block := os.read(master, 4096):
                written.write(block)

    reader = threading.Thread(target=read)
    reader.start()
    with monkeypatch.context() as patch, os.fdopen(slave, "w", encoding="utf-8") as stream:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "80")
        patch.setattr(progress, "DELAY_S", 0.0)
        patch.setattr(sys, "stderr", stream)
        yield written
    reader.join(30)
    os.close(master)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal that reports its end")
def test_a_bar_and_lines_above_it_on_a_real_terminal(hostile: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad\x1b]0;.png").write_bytes(b"none")
    with screen(monkeypatch) as written, pytest.raises(SystemExit) as ended:
        main(["compress", *hostile, "bad\x1b]0;.png", "-v"], "pixzip")
    assert ended.value.code == 2
    said = written.getvalue()
    assert b"compressing" in said  # the bar
    assert b"failed" in said  # the table
    assert rb"\x1b]0;title\x07.png -> " in said
    assert b"[bold]b[red] :smile:.png -> " in said
    for sequence in (b"\x1b]", b"\x07", b"\xc2\x9b", *(c.encode() for c in "\u202e\u2066\u200b")):
        assert sequence not in said


@pytest.mark.usefixtures("shipped")
def test_a_model_that_draws_images_is_asked_for_with_the_way_to_one() -> None:
    for given in ((), ("--model", "nothing"), ("--model", "base")):
        for verb in (("sample",), ("complete", "rgb.png", "--keep-rows", "1")):
            result = run(*verb, "-o", "x.png", *given)
            assert result.exit_code == 2
            assert "pixzip train --data FOLDER --config gated-pixelcnn-photos-small -o DIR" in result.stderr
