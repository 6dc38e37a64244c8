"""A store whose every answer takes a moment, and which counts what it is asked: slow://."""

import asyncio
from typing import Any

from fsspec.asyn import AsyncFileSystem, mirror_sync_methods


class SlowStore(AsyncFileSystem):
    """Files in the memory of this process; answers many questions at once, as stores of objects do.

    Attributes:
        files: path -> the file.
        asked: (path, start, end) of each range that was asked for.
        at_once: most questions that waited for their answers together.
        refused: path -> the error of each question about it.
    """

    protocol = "slow"
    cachable = False
    files: dict[str, bytes]
    asked: list[tuple[str, int | None, int | None]]
    refused: dict[str, BaseException]
    at_once = _waiting = 0

    async def _cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        store = type(self)
        store.asked.append((path, start, end))
        store._waiting += 1
        store.at_once = max(store.at_once, store._waiting)
        await asyncio.sleep(0.005)
        store._waiting -= 1
        if path in self.refused:
            raise self.refused[path]
        if path not in self.files:
            raise FileNotFoundError(path)
        if start == 0 and not self.files[path]:
            raise OSError("416: the range is not satisfiable")
        return self.files[path][start:end]

    async def _pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self.files[path] = bytes(value)

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        if path in self.files:
            return {"name": path, "size": len(self.files[path]), "type": "file", "mtime": 1.0}
        if any(name.startswith(path.rstrip("/") + "/") for name in self.files):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    async def _find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **options: Any) -> Any:
        names = sorted(name for name in self.files if name.startswith(path.rstrip("/") + "/"))
        return {name: await self._info(name) for name in names} if options.get("detail") else names

    async def _ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        before = path.rstrip("/") + "/"
        names = [name for name in sorted(self.files) if name.startswith(before) and "/" not in name[len(before) :]]
        return [await self._info(name) for name in names] if detail else names


class OneByOne(SlowStore):
    """The same, in which one question waits for another: one://."""

    protocol = "one"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        mirror_sync_methods(self)
        self.async_impl = False
