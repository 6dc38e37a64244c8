"""Totals of the results of `bench/deep/measure.py`, and the Markdown page."""

from typing import Any

from bench.common import origin, table

_SUMS = ("raw_bytes", "png_bytes", "jpeg_ls_bytes", "low_raw_bytes", "jxl_encode_s")
_OWN_SUMS = ("pxz_bytes", "high_bytes", "low_bytes", "two_bytes", "encode_s", "decode_s")

_SOURCES = """\
The photographs are the 16-bit PNGs in `external/raw.pixls` and `external/wesaturate/64px` of
[libjxl/testdata](https://github.com/libjxl/testdata), crops of 64 x 64 pixels of developed raw photographs. The
medical images are the DICOM files of the same names in `data_store/data` of
[pydicom/pydicom-data](https://github.com/pydicom/pydicom-data), MR, CT and radiographs of 9 to 15 bits: the first
frame, signed samples shifted up by their minimum, written as 16-bit grey PNG."""

_LEGEND = """\
Sizes are bytes of whole files without metadata; each was decoded and compared. *Bits* are those of the highest
sample, *raw* is the samples at as many bits. PNG is the smallest of the source's own compression and of deflate at
level 9 with and without filters; JPEG XL is lossless and was told the bits in use; JPEG-LS codes the samples as 16-bit
ones, for its library takes no other depth. Models that share their weights for grey images share a row. Times are
ratios to JPEG XL's encoding at effort {effort}, measured in the same run: other work shared the machine, so seconds
would mean nothing."""

_LOW = """\
*High byte alone* is the file of the picture `samples >> (bits - 8)`; *low bits* is what the file of the whole image
takes beyond it, *stored raw* is (bits - 8) for every sample. *Two pictures* is the file in which high and low bits
are pictures that know nothing of each other: what the model gains by coding the low bits given the high ones is the
difference to pxz."""


def totals(files: list[dict[str, Any]], models: list[str]) -> list[dict[str, Any]]:
    """Totals of every folder, if there are several, and of all files, with a row for each model.

    Low bits are totals over the images that have some; JPEG-LS has no total if it lacks a file.
    """
    folders = sorted({f["folder"] for f in files})
    groups = {name: [f for f in files if f["folder"] == name] for name in (folders if len(folders) > 1 else [])}
    return [_total(name, group, model) for name, group in {**groups, "all": files}.items() for model in models]


def _total(name: str, files: list[dict[str, Any]], model: str) -> dict[str, Any]:
    own = [next(r for r in f["results"] if model in r["models"]) for f in files]
    deep = [(f, r) for f, r in zip(files, own, strict=True) if f["bits"] > 8]
    sums = {key: None if any(f[key] is None for f in files) else sum(f[key] for f in files) for key in _SUMS}
    efforts = dict.fromkeys(effort for f in files for effort in f["jxl_bytes"])
    return {
        "name": name,
        "model": model,
        "files": len(files),
        **sums,
        "jxl_bytes": {effort: sum(f["jxl_bytes"][effort] for f in files) for effort in efforts},
        **{key: sum(r[key] for r in own) for key in _OWN_SUMS},
        "high_bytes": sum(r["high_bytes"] for _, r in deep),
        "low_bytes": sum(r["low_bytes"] for _, r in deep),
    }


def page(result: dict[str, Any]) -> str:
    """Totals, then every file."""
    files, sums = result["files"], result["totals"]
    effort = str(max(result["jxl_efforts"]))
    single = [{**f, **r, "model": ", ".join(r["models"])} for f in files for r in f["results"]]
    failed = result["failures"]
    parts = [f"# {result['title']}", _SOURCES, _LEGEND.format(effort=effort), _LOW]
    parts += [
        "Every file is at most 24 bytes larger than its PNG, and the low bits of every image cost less than raw."
        if not failed
        else "Broken promises:\n\n" + "\n".join(f"* {line}" for line in failed),
        "## Totals",
        _sizes(sums, effort, "files", lambda r: [str(r["files"])]),
        _low(sums),
        "## Every image",
        _sizes(single, effort, "size, bits, levels of each channel", lambda r: [_facts(r)]),
        _low([r for r in single if r["bits"] > 8]),
        "What each became: kinds within kinds as in `format.md`, with the unit that the model's grey levels got.",
        _became(single),
        origin(result),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(r: dict[str, Any]) -> str:
    return f"{r['width']} x {r['height']}, {r['bits']}, {'/'.join(map(str, r['levels']))}"


def _name(r: dict[str, Any]) -> str:
    return f"{r['folder']}/{r['name'].rpartition('/')[2]}" if "folder" in r else r["name"]


def _ratio(a: float, b: float | None) -> str:
    return f"{a / b:.3f}" if b else ""


def _figure(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _sizes(rows: list[dict[str, Any]], effort: str, what: str, facts: Any) -> str:
    efforts = list(rows[0]["jxl_bytes"]) if rows else []
    head = ["images", "model", what, "raw", "PNG", "JPEG-LS", *(f"JPEG XL e{e}" for e in efforts), "pxz"]
    head += ["pxz / raw", "pxz / PNG", f"pxz / JPEG XL e{effort}", "encode", "decode"]
    return table(
        head,
        [
            [
                _name(r), r["model"], *facts(r), *(_figure(r[k]) for k in ("raw_bytes", "png_bytes", "jpeg_ls_bytes")),
                *(_figure(r["jxl_bytes"][e]) for e in efforts), _figure(r["pxz_bytes"]),
                *(_ratio(r["pxz_bytes"], b) for b in (r["raw_bytes"], r["png_bytes"], r["jxl_bytes"][effort])),
                _ratio(r["encode_s"], r["jxl_encode_s"]), _ratio(r["decode_s"], r["jxl_encode_s"]),
            ]
            for r in rows
        ],
    )  # fmt: skip


def _low(rows: list[dict[str, Any]]) -> str:
    head = ["images", "model", "pxz", "high byte alone", "low bits", "low bits stored raw", "low bits / raw"]
    head += ["two pictures", "pxz / two pictures"]
    return table(
        head,
        [
            [
                _name(r), r["model"], _figure(r["pxz_bytes"]), _figure(r["high_bytes"]), _figure(r["low_bytes"]),
                _figure(r["low_raw_bytes"]), _ratio(r["low_bytes"], r["low_raw_bytes"]), _figure(r["two_bytes"]),
                _ratio(r["pxz_bytes"], r["two_bytes"]),
            ]
            for r in rows
        ],
    )  # fmt: skip


def _became(rows: list[dict[str, Any]]) -> str:
    head = ["image", "model", "pxz", "two pictures"]
    return table(head, [[_name(r), r["model"], _kinds(r["blocks"]), _kinds(r["two_blocks"])] for r in rows])


def _kinds(counts: dict[str, int]) -> str:
    return "; ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in counts.items())
