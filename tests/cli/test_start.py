"""What answers at once: help, the version, and a shell's completion."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, ZshComplete

from pixzip.cli import main
from tests.helpers.imports import HEAVY

IMPORTED = """
import json, os, sys
sys.argv = ["pixzip", *sys.argv[1:]]
import pixzip.__main__
try:
    pixzip.__main__.main()
except SystemExit as e:
    assert not e.code, e.code
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def imported(env: dict[str, str], *args: str) -> tuple[str, set[str]]:
    """What a command in a new interpreter says, and the packages that it imports."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *args], env=env, capture_output=True, text=True, check=True
    )  # fmt: skip
    *said, last = done.stdout.splitlines()
    return "\n".join(said), set(json.loads(last))


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["compress", "--help"], ["decompress", "-h"]])
def test_help_and_version_import_nothing_heavy(child_env: dict[str, str], args: list[str]) -> None:
    said, packages = imported(child_env, *args)
    assert "pixzip" in said
    assert {"click", "pixzip", "pixcodecs"} <= packages
    assert not packages & HEAVY


def test_the_package_itself_imports_neither_torch_nor_triton(child_env: dict[str, str]) -> None:
    program = "import sys, pixzip; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], env=child_env, capture_output=True, text=True, check=True)
    assert "pixzip" in done.stdout.split()
    assert not {"torch", "triton"} & set(done.stdout.split())


def test_completion_imports_nothing_heavy(child_env: dict[str, str]) -> None:
    asked = {"_PIXZIP_COMPLETE": "bash_complete", "COMP_WORDS": "pixzip compress --model gra", "COMP_CWORD": "3"}
    said, packages = imported({**child_env, **asked}, "compress")
    assert said.splitlines() == ["file,gra", "plain,graphics", "plain,graphics-grey"]
    assert not packages & HEAVY


def completed(args: list[str], incomplete: str) -> list[tuple[str, str]]:
    found: list[CompletionItem] = ShellComplete(main, {}, "pixzip", "_PIXZIP_COMPLETE").get_completions(
        args, incomplete
    )
    return [(item.type, item.value) for item in found]


def test_commands_and_options_are_completed() -> None:
    assert completed([], "ver") == [("plain", "verify")]
    assert ("plain", "--dry-run") in completed(["compress"], "--d")
    assert completed(["verify", "--device"], "c") == [("plain", "cpu"), ("plain", "cuda")]


@pytest.mark.parametrize(
    "args",
    [["compress"], ["decompress", "a.pxz"], ["verify"], ["info"], ["eval"], ["compress", "-o"], ["complete"]],
)
def test_inputs_and_outputs_are_completed_as_files(args: list[str]) -> None:
    assert completed(args, "ph") == [("file", "ph")]


@pytest.mark.parametrize(
    "args", [["compress", "--model"], ["decompress", "--model"], ["sample", "--model"], ["train", "--init"]]
)
def test_models_are_completed_by_name_or_as_files(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fancy.safetensors").write_bytes(b"")
    monkeypatch.setenv("PIXZIP_MODELS", str(tmp_path))
    assert completed(args, "fa") == [("file", "fa"), ("plain", "fast"), ("plain", "fancy")]


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete])
def test_the_shell_is_told_to_ask_for_this_program(shell: type[ShellComplete]) -> None:
    made = shell(main, {}, "pixzip", "_PIXZIP_COMPLETE")
    assert "_PIXZIP_COMPLETE" in made.source_template % made.source_vars()


def test_every_command_has_help() -> None:
    assert isinstance(main, click.Group)
    for command in main.commands.values():
        assert command.help
