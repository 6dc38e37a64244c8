"""Real workers on this machine: whatever dies half way, every output equals that of one process; none is missing."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("distributed")
if sys.platform == "win32":
    pytest.skip("needs signals of POSIX", allow_module_level=True)

import distributed

import pixzip
from pixzip import codec, image
from pixzip.cli.work import spread
from pixzip.trees import clusters, manifest, shards
from tests.conftest import SOURCES
from tests.helpers import golden
from tests.helpers.shell import bad, good, run
from tests.helpers.workers import Deadly, Dying, Full, Slow

MODEL = str(golden.FOLDER / "model-3.safetensors")
FILES = 10
#: A cluster in a process of its own, which prints where its scheduler is.
CLUSTER = """
import sys
import dask
import distributed

dask.config.set({"distributed.scheduler.allowed-failures": 0})  # to be quick
if __name__ == "__main__":
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", host="127.0.0.1", memory_limit=0,
        silence_logs=50, local_directory=sys.argv[1],
    )
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    inherited = [path] if (path := os.environ.get("PYTHONPATH")) else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, SOURCES), *inherited])}


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a running cluster, and its scheduler's address."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "cluster.py").write_text(CLUSTER)
    command = [sys.executable, str(folder / "cluster.py"), str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=env, text=True, **pipes) as process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.kill()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder of images, and the outputs of one process."""
    source = tmp_path_factory.mktemp("source")
    (source / "below").mkdir()
    pixels = np.random.default_rng(1).integers(0, 60, (FILES, 20, 30, 3), dtype=np.uint8)
    names = [f"below/{i}.png" if i % 3 else f"{i}.png" for i in range(FILES)]
    pictures = [codec.as_picture(x) for x in pixels]
    for name, picture in zip(names, pictures, strict=True):
        (source / name).write_bytes(image.write(picture))
    one = tmp_path_factory.mktemp("one")
    good("compress", "-r", source, "-o", one, "--model", MODEL)
    return source, {f"{name}.pxz": (one / f"{name}.pxz").read_bytes() for name in names}


@pytest.fixture(autouse=True)
def few_files_a_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_PIXELS", 20 * 30 * 4)
    monkeypatch.setattr(shards, "SHARDS_A_WORKER", 1)


def records(folder: Path) -> list[manifest.Record]:
    return [record for path in folder.glob("pixzip-manifest*.jsonl") for record in manifest.read(path)]


def check(folder: Path, expected: dict[str, bytes], *, failed: int = 0) -> None:
    """All that is in the folder is a whole output, entered once, or the manifest."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    outputs = {name: data for name, data in found.items() if not name.endswith(".jsonl")}
    assert outputs.items() <= expected.items()
    assert len(outputs) == len(expected) - failed
    done = [record for record in records(folder) if record.state == manifest.DONE]
    assert sorted(record.output for record in done) == sorted(outputs)
    assert all(record.bytes == len(outputs[record.output]) for record in done)


def told(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_cluster_gives_the_bytes_of_one_process_and_one_account_of_all_files(
    cluster: tuple[Any, str], expected: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    source, outputs = expected
    (source / "bad.png").write_bytes(b"no image")
    args = ["compress", "-r", source, "-o", tmp_path / "out", "--model", MODEL, "--scheduler", cluster[1], "--json"]
    result = bad(*args, words="bad.png: not an image")
    (source / "bad.png").unlink()
    check(tmp_path / "out", outputs)
    *files, last = told(result.stdout)
    assert sorted(f["name"] for f in files if f["status"] == "done") == sorted(
        str(source / name.removesuffix(".pxz")) for name in outputs
    )
    assert last["total"]["done"] == FILES
    assert last["total"]["failed"] == 1
    assert last["total"]["bytes_after"] == sum(map(len, outputs.values()))
    again = told(good(*args).stdout)[-1]["total"]
    assert (again["done"], again["skipped"]) == (0, FILES)
    packed = [tmp_path / "out", "--scheduler", cluster[1], "--model", MODEL]
    result = bad(
        "verify", "-r", *packed, "--json", words="bad.png.pxz: is missing: a manifest says that it failed: not an"
    )
    assert told(result.stdout)[-1]["total"]["done"] == FILES
    good("decompress", "-r", *packed, "-o", tmp_path / "back")
    for name in outputs:
        png = name.removesuffix(".pxz")
        assert image.load(tmp_path / "back" / png).picture == image.load(source / png).picture


def test_python_uses_a_client_and_leaves_it_open(
    cluster: tuple[Any, str], expected: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, outputs = expected
    monkeypatch.chdir(Path(MODEL).parent)  # not the workers' folder
    with distributed.Client(cluster[1], set_as_default=False) as client:
        first = pixzip.compress_tree(source, tmp_path / "out", client, model=Path(MODEL).name)
        assert (first.done, first.skipped, first.failed) == (FILES, 0, {})
        (tmp_path / "out" / "0.png.pxz").unlink()
        (source / "0.gif").write_bytes(b"GIF89a")
        again = pixzip.compress_tree(source, tmp_path / "out", client, model=MODEL)
        (source / "0.gif").unlink()
        assert (again.done, again.skipped, list(again.failed)) == (1, FILES - 1, ["0.gif"])
        assert client.status == "running"
    assert {p.read_bytes() for p in (tmp_path / "out").rglob("*.pxz")} == set(outputs.values())


def test_a_worker_that_is_killed_half_way_loses_nothing(
    cluster: tuple[Any, str], expected: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, outputs = expected
    monkeypatch.setattr(spread, "OnShard", partial(Dying, marker=str(tmp_path / "died")))
    args = ["compress", "-r", source, "-o", tmp_path / "out", "--model", MODEL, "--scheduler", cluster[1], "--json"]
    files = told(good(*args).stdout)
    assert (tmp_path / "died").exists()
    check(tmp_path / "out", outputs)
    assert sorted(f["name"] for f in files[:-1]) == sorted({f["name"] for f in files[:-1]})


def test_a_file_that_kills_its_workers_costs_no_other(
    cluster: tuple[Any, str], expected: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, outputs = expected
    monkeypatch.setattr(spread, "OnShard", partial(Deadly, name="4.png"))
    args = ["compress", "-r", source, "-o", tmp_path / "out", "--model", MODEL, "--scheduler", cluster[1]]
    result = bad(*args, words="4.png: each worker that worked on it died")
    assert len(result.stderr.splitlines()) == 1
    check(tmp_path / "out", outputs, failed=1)


def test_a_full_disk_names_the_file_and_ends_its_shard(
    cluster: tuple[Any, str], expected: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, outputs = expected
    args = ["compress", "-r", source, "-o", tmp_path / "out", "--model", MODEL, "--scheduler", cluster[1]]
    with monkeypatch.context() as patch:
        patch.setattr(spread, "OnShard", partial(Full, marker=str(tmp_path / "full")))
        lines = bad(*args, words="No space left on device").stderr.splitlines()
    assert len(lines) == 2
    name = Path(lines[0].split(": ")[1])
    assert not (tmp_path / "out" / name.relative_to(source).with_name(f"{name.name}.pxz")).exists()
    untried = int(lines[1].split(" of ")[0].split()[-1])
    assert untried
    assert lines[1] == f"pixzip: no space was left: {untried} of {FILES} files were not tried"
    check(tmp_path / "out", outputs, failed=1 + untried)
    good(*args)
    check(tmp_path / "out", outputs)


def in_time(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    for _ in range(6000):
        if condition():
            return
        assert process is None or process.poll() is None
        time.sleep(0.01)
    raise AssertionError("waits for ever")


def test_an_interrupt_ends_the_workers_and_a_second_run_does_the_rest(
    expected: tuple[Path, dict[str, bytes]], tmp_path: Path, env: dict[str, str]
) -> None:
    source, outputs = expected
    (tmp_path / "temporary").mkdir()
    out = tmp_path / "out"
    args = ["compress", "-r", str(source), "-o", str(out), "--model", MODEL, "--workers", "2"]
    slow = (
        "import signal, sys; from functools import partial\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    from pixzip.cli.work import spread; from pixzip.trees import shards\n"
        "    from tests.helpers.workers import Slow\n"
        "    spread.OnShard = Slow\n"
        f"    shards.SHARD_PIXELS = {shards.SHARD_PIXELS}\n"
        "    import pixzip.__main__; sys.argv[0] = 'pixzip'; pixzip.__main__.main()\n"
    )
    (tmp_path / "slow.py").write_text(slow)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "slow.py"), *args], env={**env, "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        in_time(lambda: len(records(out)) >= 2, process)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.startswith("pixzip: interrupted: ")
    assert errors.endswith(f" of {FILES} files were written\n")
    assert len(errors.splitlines()) == 1
    in_time(lambda: not in_session(process.pid))
    assert not list((tmp_path / "temporary").iterdir())
    left = [p.name for p in out.rglob("*") if p.is_file() and p.suffix not in (".pxz", ".jsonl")]
    assert not left
    assert 2 <= len(list(out.rglob("*.pxz"))) < FILES
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.pxz")}
    good(*args[:-2])
    check(out, outputs)
    assert all(p.stat().st_mtime_ns == at for p, at in before.items())


def in_session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def test_a_lost_scheduler_is_a_line_and_a_second_run_does_the_rest(
    cluster: tuple[subprocess.Popen[str], str],
    expected: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, outputs = expected
    monkeypatch.setattr(clusters, "PATIENCE_S", 1.0)
    monkeypatch.setattr(spread, "OnShard", Slow)
    args = ["compress", "-r", source, "-o", tmp_path / "out", "--model", MODEL]
    hear = spread.Ledger.hear

    def killing(self: Any, event: dict[str, Any]) -> None:
        hear(self, event)
        cluster[0].kill()

    monkeypatch.setattr(spread.Ledger, "hear", killing)
    result = run(*args, "--scheduler", cluster[1])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"pixzip: the scheduler of {cluster[1]} is gone")
    assert not logging.getLogger("distributed.client").isEnabledFor(logging.ERROR)  # which has a level of its own
    assert len(result.stderr.splitlines()) == 1
    assert 1 <= len(list((tmp_path / "out").rglob("*.pxz"))) < FILES
    bad(*args, "--scheduler", cluster[1], words=f"no scheduler answers at {cluster[1]}")
    good(*args)
    check(tmp_path / "out", outputs)
