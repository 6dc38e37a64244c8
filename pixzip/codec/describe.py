"""Description of a `.pxz` file from its header and table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pixcodecs.container import blocks, signature, stack
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Buffer, Extra
from pixcodecs.container.kept import KeptHeader
from pixcodecs.container.limits import KEPT_VERSION, PAGES_VERSION, STACK_VERSION
from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg import head as jpeg_head
from pixcodecs.jpeg.layout import NAMES
from pixcodecs.primitives import Reader

from pixzip.codec import kept
from pixzip.codec.beside import AnyFolder
from pixzip.codec.carried import Carrying
from pixzip.codec.model_facts import model_file_facts, model_text, models_facts
from pixzip.codec.opening import Opening
from pixzip.codec.pages import PagesOpening
from pixzip.codec.savings import Savings
from pixzip.codec.stack import parse as parse_stack
from pixzip.engine.stages.registry import stage_of
from pixzip.models.wavefront.lattices import LATTICES
from pixzip.originals import Record


def facts(data: Buffer, folder: AnyFolder | None = None) -> dict[str, Any]:
    """All facts in the header and table, after verification of header, table and the blocks' checksums.

    Args:
        folder: of the file, to look for model files; None if it is not known.
    Raises:
        BitstreamError: the file is damaged.
    """
    if stack.is_stack(data):
        return _stack_facts(parse_stack(data, None))
    if signature.is_pages(data):
        return _pages_facts(PagesOpening(data, None, folder))
    if signature.is_model(data):
        return model_file_facts(data)
    if kept.is_kept(data):
        return _kept_facts(kept.check(data), len(data))
    opening = Opening(data, None, folder=folder)
    opening.check_blocks()
    header = opening.header
    kinds = Counter(_kind(opening, i) for i in range(len(header.tiles)))
    chunks = [body[:4].decode("latin-1") for kind, body in header.extras if kind is Extra.CHUNK]
    palette = sum(len(body) // 3 for kind, body in header.extras if kind is Extra.PALETTE)
    return {
        "format_version": header.version,
        "width": header.width,
        "height": header.height,
        "mode": header.layout.name,
        "channels": header.layout.channels,
        "depth": header.depth,
        "palette_entries": palette,
        "transparency": any(kind is Extra.TRANSPARENCY for kind, _ in header.extras),
        "metadata": chunks,
        "original": _original(opening.original),
        "models": models_facts(header.models, opening.carrying),
        "tiles": len(header.tiles),
        "tile_width": header.tile_width,
        "tile_height": header.tile_height,
        "blocks": dict(kinds),
        "jpeg_inside": _inside(opening),
        "stages": sorted({stage for i in range(len(header.tiles)) for stage in _stages(opening, i)}),
        "file_bytes": header.file_bytes,
        "header_bytes": header.size_bytes,
        "bpsp": 8 * header.file_bytes / header.subpixels,
        "samples_crc": [f"{tile.samples_crc:08x}" for tile in header.tiles],
    }


def _stack_facts(header: stack.StackHeader) -> dict[str, Any]:
    given = {header.model: header.weights} if header.weights else {}
    return {
        "format_version": STACK_VERSION,
        "images": header.images,
        "sizes": [run._asdict() for run in header.runs],
        "mode": header.layout.name,
        "channels": header.layout.channels,
        "depth": header.depth,
        "batch": header.batch,
        "stages": [stage_of(header.stage).name] if header.stage else [],
        "models": models_facts([header.model], Carrying(given, header.file_bytes)),
        "names": header.names,
        "file_bytes": header.file_bytes,
        "header_bytes": header.size_bytes,
        "bpsp": 8 * header.file_bytes / header.subpixels,
        "samples_crc": [f"{header.samples_crc:08x}"],
    }


def _pages_facts(opening: PagesOpening) -> dict[str, Any]:
    header = opening.header
    for member in opening.openings:
        member.check_blocks()
    models = [*dict.fromkeys(m for member in opening.openings for m in member.header.models)]
    subpixels = sum(member.header.subpixels for member in opening.openings)
    found: dict[str, Any] = {
        "format_version": PAGES_VERSION,
        "kind": header.kind.name,
        "pages": [
            {
                "width": member.header.width, "height": member.header.height, "mode": member.header.layout.name,
                "depth": member.header.depth, "duration": m.duration, "x": m.x, "y": m.y, "disposal": m.disposal,
                "blend": m.blend, "thumbnail": m.thumbnail, "aside": m.aside, "file_bytes": m.size_bytes,
                "metadata": [chunk.type.decode("latin-1") for chunk in member.frame.metadata],
            }
            for member, m in zip(opening.openings, header.members, strict=True)
        ],
        "width": header.width,
        "height": header.height,
        "loops": header.loops,
        "metadata": [chunk.type.decode("latin-1") for chunk in opening.metadata],
        "original": _original(opening.original, header.kind.name),
        "models": models_facts(models, opening.carrying),
        "file_bytes": header.file_bytes,
        "header_bytes": header.size_bytes,
        "bpsp": 8 * header.file_bytes / subpixels,
    }  # fmt: skip
    return found


def _original(record: Record | None, form: str = "") -> dict[str, Any] | None:
    """What the file says of its original; None if it says nothing.

    Args:
        form: name of the format, for a file of several pages.
    """
    if record is None:
        return None
    if not record.is_kept:
        return {"byte_for_byte": False, "why_not": record.why_not}
    facts = {"format": form or record.family.name, "bytes": record.size_bytes, "sha256": record.sha256.hex()}
    return {"byte_for_byte": True, **facts, "record_bytes": len(record.pack())}


def saved(found: Savings) -> dict[str, Any]:
    """The facts about what the stages save: bytes with them and without, and the share of the latter."""
    return {
        "stage_bytes": found.with_stages, "bytes_without_stage": found.without, "saved_by_stages": found.share,
    }  # fmt: skip


def _kept_facts(header: KeptHeader, file_bytes: int) -> dict[str, Any]:
    return {
        "format_version": KEPT_VERSION,
        "content": header.content.name,
        "restores": "byte for byte",
        "method": header.method.name,
        "file_bytes": file_bytes,
        "header_bytes": header.size_bytes,
        "original_bytes": header.length,
        "saving": 1 - file_bytes / header.length,
        header.digest_name: header.digest.hex() if header.digest_name == "sha256" else header.digest[::-1].hex(),
    }


def _kind(opening: Opening, tile: int) -> str:
    """The kind of a tile's block, with the stage that adapts it and its lattice, e.g. "MODEL (light, JFIF)"."""
    block = opening.block(tile)
    if opening.header.version == 1:
        return Kind.MODEL.name
    if not block:
        return "unknown"
    if block[0] == Kind.ADAPTED and len(block) > 2:
        return f"{blocks.name_of(block[2])} ({', '.join(_stage_and_lattice(block))})"
    return blocks.name_of(block[0])


def _inside(opening: Opening) -> str:
    """The JPEGs inside of tiles, e.g. "quality about 85, 4:2:0, 99.2 % of pixels by it"; "" if there is none."""
    header, pixels, quality, names = opening.header, 0, 0, Counter[str]()
    for i in range(len(header.tiles)) if header.version != 1 else ():
        tile, channels, block = opening.tile(i), header.layout.channels, opening.block(i)
        if block[:1] == bytes([Kind.ALPHA]):
            block, channels = _within(block)[0] if _within(block) else b"", channels - 1
        if block[:1] != bytes([Kind.JPEG]):
            continue
        try:
            head = jpeg_head.read_head(block[1:], (tile.height, tile.width, channels), header.depth)
        except BitstreamError:  # decoders say what is wrong
            continue
        pixels += tile.pixels - head.corrected
        quality += tile.pixels * head.layout.about_quality
        names[NAMES[head.layout.sampling] if channels == 3 else "grey"] += tile.pixels
    if not names:
        return ""
    about = (quality + names.total() // 2) // names.total()
    return f"quality about {about}, {', '.join(names)}, {100 * pixels / opening.pixels:.1f} % of pixels by it"


def _stage(adapted: bytes) -> str:
    """The name of the stage in a block of kind `ADAPTED`."""
    return _stage_and_lattice(adapted)[0]


def _stage_and_lattice(adapted: bytes) -> tuple[str, ...]:
    """The name of the stage in a block of kind `ADAPTED`, and of its lattice if it has one."""
    try:
        number, lattice = blocks.stage_and_lattice(Reader(adapted[1:2]).byte("number of a stage"))
    except BitstreamError:
        return ("unknown",)
    return stage_of(number).name, *([LATTICES[lattice].name] if lattice else [])


def _stages(opening: Opening, tile: int) -> Iterator[str]:
    """The stages of a tile, in its block and in the blocks within."""
    level = [] if opening.header.version == 1 else [opening.block(tile)]
    for _ in range(blocks.DEEPEST + 1):
        yield from (_stage(block) for block in level if block[:1] == bytes([Kind.ADAPTED]))
        level = [inner for block in level for inner in _within(block)]


def _within(block: bytes) -> list[bytes]:
    """The blocks in a block; none if it is damaged, because decoders say what is wrong."""
    reader = Reader(block)
    try:
        kind = reader.byte("kind of a block")
        if kind in (Kind.HIGH_LOW, Kind.NARROW):
            reader.byte("shift or depth")
        if kind in (Kind.HIGH_LOW, Kind.ALPHA):
            return [reader.take(reader.varint("length of a block"), "first block"), reader.rest()]
        if kind == Kind.LEVELS:
            reader.take(reader.varint("length of a table") + 1, "table of levels and depth of ranks")
        return [reader.rest()] if kind in (Kind.NARROW, Kind.LEVELS) else []
    except BitstreamError:
        return []


def lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each fact in readable form."""
    for key, value in found.items():
        if key == "models":
            yield "models", ", ".join(map(model_text, value)) or "none"
        elif key == "blocks":
            yield key, ", ".join(f"{count} {kind}" for kind, count in value.items())
        elif key == "original":
            yield key, _original_text(value)
        elif key == "sizes":
            sizes = [f"{run['images']} of {run['width']}x{run['height']}" for run in value]
            yield key, _ends(sizes, "runs")
        elif key == "pages":
            sizes = [f"{page['width']}x{page['height']} {page['mode']}" for page in value]
            yield key, f"{len(value)}: {_ends(sizes, 'pages')}" if len(value) <= 3 else _ends(sizes, "pages")
        elif key == "names":
            yield key, _ends(value, "names")
        elif key in ("metadata", "stages"):
            yield key, ", ".join(value) or "none"
        elif key == "samples_crc":
            yield "samples crc", value[0] if len(value) == 1 else f"{len(value)} tiles, {value[0]} ... {value[-1]}"
        elif key == "jpeg_inside":
            if value:
                yield "JPEG inside", value
        elif key == "saving":
            yield key, f"{100 * value:.1f} %"
        elif key == "bpsp":
            yield key, f"{value:.4f}"
        elif key == "saved_by_stages":
            yield "stages saved", f"{value:.2%}"
        elif value not in (0, False):
            yield key.replace("_", " "), str(value)


def _original_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "not recorded: pixels and metadata are exact, the file is made anew"
    if not found["byte_for_byte"]:
        return f"pixels exact; the file is not kept: {found['why_not']}"
    return f"byte for byte: {found['format']}, {found['bytes']} bytes, SHA-256 {found['sha256']}"


def _ends(texts: Sequence[str], what: str) -> str:
    """A list in one line: all items, or the first and last ones."""
    return ", ".join(texts) or "none" if len(texts) <= 3 else f"{len(texts)} {what}, {texts[0]} ... {texts[-1]}"
