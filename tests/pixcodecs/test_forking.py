"""Locks and imports of other threads do not stay in a forked child."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

HELD = """
import os, sys, threading, time, signal
from pixcodecs import forking

lock, inside, let_go = forking.Lock(), threading.Event(), threading.Event()

class Slow:
    @forking.cached_property
    def value(self):
        inside.set()
        return let_go.wait(60)

def hold():
    with lock:
        Slow().value

def hold_for_a_moment():
    with forking.shielded, forking.shielded:
        inside.set()
        time.sleep(0.3)
        steps.append("outside")

steps = []
def forked(task):
    pid = os.fork()
    if not pid:
        signal.alarm(60)
        os._exit(task())
    return os.waitpid(pid, 0)[1]

def in_child():
    let_go.set()
    with lock, forking.shielded:
        return 0 if forking.forked() and Slow().value else 1

thread = threading.Thread(target=hold)
thread.start()
inside.wait()
assert forked(in_child) == 0
let_go.set()
thread.join()

inside.clear()
thread = threading.Thread(target=hold_for_a_moment)
thread.start()
inside.wait()
assert forked(lambda: 0 if steps == ["outside"] else 1) == 0
thread.join()

with lock, forking.shielded:  # the thread that forks may be inside
    pid = os.fork()
if not pid:  # it leaves both, and may enter again
    os._exit(in_child())
assert os.waitpid(pid, 0)[1] == 0
assert not forking.forked()
"""

IMPORTING = """
import os, pathlib, signal, sys, threading, time
import pixzip
from pixcodecs import forking

folder = pathlib.Path(sys.argv[1])
(folder / "torch").mkdir()
(folder / "torch" / "__init__.py").write_text("import time; time.sleep(0.5); done = True")
sys.path.insert(0, str(folder))

def load():
    import torch

thread = threading.Thread(target=load)
thread.start()
while "torch" not in sys.modules:
    time.sleep(0.001)
pid = os.fork()
if not pid:
    signal.alarm(60)
    import torch
    os._exit(0 if torch.done else 1)
assert os.waitpid(pid, 0)[1] == 0
thread.join()
"""


BUSY = """
import os, signal, threading, time
from pixcodecs import forking

done = threading.Event()

def work():
    while not done.is_set():
        with forking.shielded:
            time.sleep(0.002)
        sum(range(2000))

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
started = time.monotonic()
for _ in range(5):
    if not os.fork():
        signal.alarm(60)
        with forking.shielded:
            os._exit(0)
    assert os.wait()[1] == 0
assert time.monotonic() - started < 50, "a fork gave up"
done.set()
"""


@pytest.mark.parametrize("program", [HELD, IMPORTING, BUSY], ids=["locks", "imports", "busy"])
def test_a_child_finds_locks_free_and_imports_finished(
    program: str, child_env: dict[str, str], tmp_path: object
) -> None:
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, env=child_env, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr


def _names(tree: ast.AST) -> Iterator[str]:
    """The objects of modules that a file names, like `threading.Lock`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def uses(found: Callable[[str], bool], home: str) -> list[str]:
    """Files of the packages, but for one, with a name."""
    files = [*(ROOT / "pixzip").rglob("*.py"), *(ROOT / "codecs").rglob("*.py")]
    assert any(file.name == home for file in files)
    return [
        f"{file.name}: {name}"
        for file in files
        if file.name != home
        for name in _names(ast.parse(file.read_text("utf-8")))
        if found(name)
    ]


def test_locks_are_made_in_one_module() -> None:
    kinds = {f"threading.{kind}" for kind in ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Barrier")}
    assert not uses(lambda name: name in kinds | {"functools.cached_property", "_thread.allocate_lock"}, "forking.py")


def test_kernels_are_compiled_in_one_module() -> None:
    compilers = ("jit", "njit", "vectorize", "guvectorize", "cfunc", "stencil", "generated_jit")
    assert not uses(lambda name: name in {f"numba.{compiler}" for compiler in compilers}, "compiled.py")
