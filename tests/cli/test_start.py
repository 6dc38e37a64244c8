"""Help, the version, shell completion and wrong arguments are answered at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, ZshComplete

from pixzip.cli import main
from pixzip.cli.verbs import VERBS
from tests.helpers.imports import HEAVY

IMPORTED = """
import json, os, sys
sys.argv = ["pixzip", *sys.argv[1:]]
import pixzip.__main__
try:
    pixzip.__main__.main()
except SystemExit as e:
    assert not e.code, e.code
print(json.dumps(sorted(sys.modules)))
"""
#: Program that runs several commands, given as lists of arguments, in one interpreter.
SEVERAL = """
import json, sys
from click.testing import CliRunner
from pixzip.cli import main
results = [CliRunner().invoke(main, args) for args in json.loads(sys.argv[1])]
print(json.dumps([[(r.exit_code, r.output) for r in results], sorted(sys.modules)]))
"""


def imported(env: dict[str, str], *args: str) -> tuple[str, set[str]]:
    """The output of a command in a new interpreter, and the modules that it imports."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *args], env=env, capture_output=True, text=True, check=True
    )  # fmt: skip
    *said, last = done.stdout.splitlines()
    return "\n".join(said), set(json.loads(last))


def several(env: dict[str, str], commands: list[list[str]]) -> tuple[list[tuple[int, str]], set[str]]:
    """The exit code and the output of each command, and the modules that all of them import."""
    command = [sys.executable, "-c", SEVERAL, json.dumps(commands)]
    found, modules = json.loads(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout)
    return [(code, text) for code, text in found], set(modules)


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def verbs(modules: set[str]) -> set[str]:
    """The modules of commands among the given modules."""
    return modules & {f"pixzip.cli.{name}" for name in {verb.place.split(":")[0] for verb in VERBS}}


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["compress", "--help"], ["decompress", "-h"]])
def test_help_and_version_import_nothing_heavy_and_no_other_command(child_env: dict[str, str], args: list[str]) -> None:
    said, modules = imported(child_env, *args)
    assert "pixzip" in said
    assert {"click", "pixzip", "pixcodecs"} <= packages(modules)
    assert not packages(modules) & HEAVY
    assert verbs(modules) == {f"pixzip.cli.{arg}" for arg in args if not arg.startswith("-")}


def test_the_help_of_every_command_imports_nothing_heavy(child_env: dict[str, str]) -> None:
    results, modules = several(child_env, [[str(verb.name), "--help"] for verb in VERBS])
    for verb, (code, text) in zip(VERBS, results, strict=True):
        assert code == 0
        assert f"Usage: main {verb.name} " in text
    assert not packages(modules) & HEAVY


def test_wrong_arguments_are_refused_before_anything_heavy_is_imported(
    child_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "there.png").write_bytes(b"")
    here, nowhere = str(tmp_path / "there.png"), str(tmp_path / "nowhere")
    wrong = [
        ["no-command"],
        ["compress"],
        ["compress", nowhere],
        ["compress", here, "--coder", "huffman"],
        ["compress", here, "-o", here, "--rm", "--strip"],
        ["compress", here, "-o", f"{nowhere}/x.pxz"],
        ["decompress", nowhere],
        ["decompress", here, "--region", "1,2"],
        ["verify", nowhere],
        ["heatmap", here, "-o", "x.jpg"],
        ["eval"],
        ["bench", here, "-o", here],
        ["sample", "--model", "base", "-o", "x.jpg"],
        ["complete", here, "--keep-rows", "1", "--model", "base", "-o", here],
        ["train", "--data", nowhere, "--config", "tiny", "-o", nowhere],
    ]
    results, modules = several(child_env, wrong)
    assert [code for code, _ in results] == [2] * len(wrong)
    assert not packages(modules) & HEAVY


def test_the_package_itself_imports_neither_torch_nor_triton(child_env: dict[str, str]) -> None:
    program = "import sys, pixzip; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], env=child_env, capture_output=True, text=True, check=True)
    assert "pixzip" in done.stdout.split()
    assert not {"torch", "triton"} & set(done.stdout.split())


def test_completion_imports_nothing_heavy(child_env: dict[str, str]) -> None:
    asked = {"_PIXZIP_COMPLETE": "bash_complete", "COMP_WORDS": "pixzip compress --model gra", "COMP_CWORD": "3"}
    said, modules = imported({**child_env, **asked}, "compress")
    assert said.splitlines() == ["file,gra", "plain,graphics", "plain,graphics-grey"]
    assert not packages(modules) & HEAVY


def test_names_of_commands_are_completed_without_importing_one(child_env: dict[str, str]) -> None:
    asked = {"_PIXZIP_COMPLETE": "bash_complete", "COMP_WORDS": "pixzip co", "COMP_CWORD": "1"}
    said, modules = imported({**child_env, **asked})
    assert said.splitlines() == ["plain,complete", "plain,compress"]
    assert not packages(modules) & HEAVY
    assert not verbs(modules)


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
    assert completed(args, "fa") == [("file", "fa"), ("plain", "fast"), ("plain", "fast-grey"), ("plain", "fancy")]


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete])
def test_the_shell_is_told_to_ask_for_this_program(shell: type[ShellComplete]) -> None:
    made = shell(main, {}, "pixzip", "_PIXZIP_COMPLETE")
    assert "_PIXZIP_COMPLETE" in made.source_template % made.source_vars()


def test_help_lists_every_command_and_says_what_the_command_itself_says() -> None:
    assert list(main.commands) == sorted(main.commands)
    for verb in VERBS:
        command = verb.load()
        assert command.name == verb.name
        assert command.help
        assert verb.get_short_help_str(10**6) == command.get_short_help_str(10**6) == verb.help
