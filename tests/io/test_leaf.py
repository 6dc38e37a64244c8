"""The package `io` is a leaf: files, streams and signals, without pictures or models."""

import json
import subprocess
import sys
from pathlib import Path

import pixzip.io
from tests.helpers.imports import HEAVY

MODULES = sorted(f"pixzip.io.{path.stem}" for path in Path(pixzip.io.__file__).parent.glob("[!_]*.py"))
PROGRAM = """
import importlib, json, sys, pixzip
before = {*sys.modules}
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({*sys.modules} - before)))
"""


def test_io_imports_itself_and_pixcodecs_and_nothing_heavy(child_env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *MODULES], env=child_env, capture_output=True, text=True, check=True
    )
    imported = set(json.loads(done.stdout))
    assert {"pixzip.io.files", "pixzip.io.names", "pixzip.io.signals", "pixzip.io.streams"} <= imported
    assert {name for name in imported if name.startswith("pixzip.")} == {"pixzip.io", *MODULES}
    assert not {name.split(".")[0] for name in imported} & HEAVY
