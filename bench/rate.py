"""File sizes over whole sets of images, every result decoded and compared, one image per call.

python bench/rate.py photos.tar kodak.tar --out bench/results/rate.json
"""

from pathlib import Path
from typing import Any

import click
from common import JXL, Codec, Picture, load, peers, pixzip_codec, provenance, round_trip, set_threads, warm_up, write


def measure(codec: Codec, pictures: list[tuple[str, Picture]]) -> dict[str, Any]:
    """Totals over a set, and the size of each file."""
    sizes, encode_s, decode_s = {}, 0.0, 0.0
    for name, picture in pictures:
        sizes[name], encode, decode = round_trip(codec, picture)
        encode_s, decode_s = encode_s + encode, decode_s + decode
    pixels = sum(p.shape[0] * p.shape[1] for _, p in pictures)
    total = sum(sizes.values())
    return {
        "bytes": total,
        "bpsp": 8 * total / (3 * pixels),
        "encode_s": encode_s,
        "decode_s": decode_s,
        "encode_mps": pixels / encode_s / 1e6,
        "decode_mps": pixels / decode_s / 1e6,
        "image_bytes": sizes,
    }


def add_ratios(results: dict[str, dict[str, Any]]) -> None:
    """Every size and time as a ratio to libjxl's, effort 9."""
    peer = results[JXL]
    for r in results.values():
        r["bytes_ratio"] = r["bytes"] / peer["bytes"]
        r["encode_ratio"] = r["encode_s"] / peer["encode_s"]
        r["decode_ratio"] = r["decode_s"] / peer["encode_s"]


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="base,fast", show_default=True, help="Names or paths, comma-separated.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--threads", default=2, show_default=True, help="Of libjxl and of torch.")
@click.option("--limit", type=int, help="Only the first N images of each set.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(data: tuple[Path, ...], models: str, device: str, threads: int, limit: int | None, out: Path | None) -> None:
    """Total bytes and speeds over each of DATA: tars, folders or images."""
    set_threads(threads)
    codecs = peers(threads) + [pixzip_codec(model, device) for model in models.split(",")]
    result: dict[str, Any] = {
        "benchmark": "rate",
        **provenance(data, models.split(","), threads),
        "device": device,
        "sets": {},
    }
    warm_up(codecs)
    for path in data:
        pictures = load(path, limit)
        results = {}
        for codec in codecs:
            results[codec.name] = r = measure(codec, pictures)
            click.echo(
                f"{path.name:20} {codec.name:14} {r['bytes']:>11,} bytes  {r['bpsp']:.4f} bpsp  "
                f"{r['encode_mps']:8.3f} / {r['decode_mps']:8.3f} MP/s",
                err=True,
            )
        add_ratios(results)
        pixels = sum(p.shape[0] * p.shape[1] for _, p in pictures)
        result["sets"][path.stem] = {"images": len(pictures), "megapixels": pixels / 1e6, "codecs": results}
    write(out, result)


if __name__ == "__main__":
    main()
