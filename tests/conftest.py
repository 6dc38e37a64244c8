"""The header of test runs, tests that need a GPU, the environment of child processes, and fixtures."""

import gc
import importlib.metadata
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
from pixcodecs import threads

import pixzip
from pixzip import codec, image
from pixzip.codec import by_rows, tiles
from pixzip.codec.search import Search
from pixzip.io import stores
from pixzip.models import library
from tests import CORES
from tests.helpers.shell import GREY, RGB
from tests.helpers.support import tiny_weights

ROOT = Path(__file__).resolve().parent.parent
#: Folders from which the two packages are imported.
SOURCES = [ROOT, ROOT / "codecs"]
#: Files of tests that take 15 seconds and more of one core, which start first; other processes do the rest meanwhile.
LONGEST = (
    "engine/test_machines.py", "codec/test_efforts.py", "engine/test_full.py", "engine/test_stacks.py",
    "engine/test_light.py", "train/test_processes.py", "engine/backends/test_triton_kernel.py",
    "engine/backends/test_full_tensors.py", "adapters/test_torch_dataset.py", "adapters/test_ome_zarr.py",
    "engine/test_full_engines.py", "pixcodecs/test_jpeg_block.py", "engine/test_forking.py", "trees/test_clusters.py",
    "engine/test_exactness.py", "engine/backends/test_cuda_step.py", "engine/backends/test_light_tensors.py",
    "train/test_execution.py", "bench/test_deep.py", "test_packaging.py",
)  # fmt: skip

hypothesis.settings.register_profile("pixzip", deadline=None, derandomize=True)
hypothesis.settings.load_profile("pixzip")


def pytest_configure() -> None:
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    count = max(1, min(2, CORES // processes))
    torch.set_num_threads(count)
    threads.set_threads(count)


def pytest_report_header() -> list[str]:
    names = ["torch", "numpy", "numba", "constriction", "pillow", "safetensors"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return [
        f"versions: python {platform.python_version()}, {versions}",
        f"pixzip: {list(pixzip.__path__)}, {threads.get_threads()} threads on {CORES} cores, CUDA: {cuda}",
    ]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[Any]:
    """Collect without looking for garbage, of which there is none, and never look among thousands of tests again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest = {ROOT / "tests" / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: longest.get(item.path, len(LONGEST)))
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def child_env() -> dict[str, str]:
    """The environment of a child process that imports the packages from this checkout."""
    inherited = [path] if (path := os.environ.get("PYTHONPATH")) else []
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, SOURCES), *inherited])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with rgb.png, grey.png and weights; no models are shipped."""
    monkeypatch.setattr(library, "WEIGHTS", tmp_path / "shipped")
    (tmp_path / "rgb.png").write_bytes(image.write(codec.as_picture(RGB)))
    (tmp_path / "grey.png").write_bytes(image.write(codec.as_picture(GREY)))
    (tmp_path / "rgb.model").write_bytes(tiny_weights(3).to_bytes())
    (tmp_path / "grey.model").write_bytes(tiny_weights(1).to_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shipped(folder: Path) -> Path:
    """The `folder`, with both models shipped as `base`."""
    (folder / "shipped").mkdir()
    (folder / "rgb.model").rename(folder / "shipped" / "base.safetensors")
    (folder / "grey.model").rename(folder / "shipped" / "base-grey.safetensors")
    return folder


@pytest.fixture
def models_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are used wherever possible, because blocks by the tests' untrained models are never the smallest."""
    init = Search.__init__

    def forced(self: Search, models: Any, **options: Any) -> None:
        init(self, models, **options | {"models_only": True})

    monkeypatch.setattr(Search, "__init__", forced)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images above a small number of pixels are coded by rows."""
    monkeypatch.setattr(by_rows, "LARGE_PIXELS", 20)
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 50)
    monkeypatch.setattr(tiles, "TILE_SIDE", 32)


@pytest.fixture
def in_time() -> Iterator[None]:
    """An alarm that ends a test that would wait for a pipe for ever."""

    def late(number: int, frame: object) -> None:
        raise AssertionError("waits for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def fifo(tmp_path: Path, in_time: None) -> Callable[[bytes], str]:
    """A function that makes a named pipe, into which a thread writes once, and returns the pipe's name."""
    (tmp_path / "pipes").mkdir()

    def made(data: bytes) -> str:
        name = tmp_path / "pipes" / str(len(list((tmp_path / "pipes").iterdir())))
        os.mkfifo(name)
        threading.Thread(target=name.write_bytes, args=(data,), daemon=True).start()
        return str(name)

    return made


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a Dask cluster of two processes of one thread each."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1",
            memory_limit=0, silence_logs=50, local_directory=str(tmp_path_factory.mktemp("workers")),
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield client


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL of a folder in fsspec's memory."""
    fsspec = pytest.importorskip("fsspec")
    yield "memory://shelf"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of slow://, empty; one:// has the same files, and answers one question after another."""
    fsspec = pytest.importorskip("fsspec")
    from tests.helpers.slow_store import OneByOne, SlowStore

    monkeypatch.setattr(stores, "_AT_ONCE", stores._AT_ONCE | {"slow"})
    SlowStore.files, SlowStore.asked, SlowStore.refused, SlowStore.at_once = {}, [], {}, 0
    for store in (SlowStore, OneByOne):
        fsspec.register_implementation(store.protocol, store, clobber=True)
    return SlowStore


@pytest.fixture(scope="session")
def server() -> Iterator[dict[str, str]]:
    """The environment that reaches a local server of S3's dialect."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    found = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    found.stop()


@pytest.fixture
def bucket(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, and the environment that reaches it."""
    import fsspec
    import s3fs

    for name, value in server.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3 = fsspec.filesystem("s3")
    s3.mkdir("shelf")
    yield "s3://shelf"
    s3.rm("shelf", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["memory", "bucket"])
def store(request: pytest.FixtureRequest) -> str:
    """A URL in each kind of store."""
    found: str = request.getfixturevalue(request.param)
    return found
