"""Golden files: what version 1 must read, and write, for ever.

``python -m tests.golden`` makes the missing ones; it never replaces one.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from pixzip import codec
from pixzip.engine import with_known_answer
from pixzip.exact.export import export
from pixzip.exact.weights import IntegerWeights, load
from pixzip.models.registry import Config, WavefrontPixelCNN

FOLDER = Path(__file__).parent / "golden"
SHAPES = {
    "rgb-1x1": (1, 1, 3),
    "rgb-7x9": (7, 9, 3),
    "rgb-24x1": (24, 1, 3),
    "grey-1x1": (1, 1),
    "grey-16x33": (16, 33),
}
#: name of a golden file -> how it is damaged, and a part of the message
BAD = {
    "bad-signature": (lambda d: b"\x88" + d[1:], "not a pixzip file"),
    "bad-version": (lambda d: d[:3] + b"\x02" + d[4:], "format version 2"),
    "bad-header": (lambda d: d[:8] + bytes([d[8] ^ 1]) + d[9:], "header damaged"),
    "bad-payload": (lambda d: d[:-1] + bytes([d[-1] ^ 1]), "payload damaged"),
    "bad-truncated": (lambda d: d[:-4], "truncated"),
    "bad-appended": (lambda d: d + b"\0", "too long"),
    "bad-empty": (lambda d: b"", "not a pixzip file"),
}


def weights(channels: int) -> IntegerWeights:
    """The golden model of 1 or 3 channels."""
    return load(FOLDER / f"model-{channels}.safetensors")


def image(shape: tuple[int, ...]) -> np.ndarray:
    """A smooth image with an edge and some noise, from integers alone."""
    flat, state = [], 7
    for i in range(int(np.prod(shape))):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        flat.append((i * 2 + (state >> 16) % 9 + (90 if i % 40 > 25 else 0)) % 256)
    return np.array(flat, np.uint8).reshape(shape)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for channels, order in ((1, (0,)), (3, (1, 0, 2))):
        path = FOLDER / f"model-{channels}.safetensors"
        if not path.exists():
            torch.manual_seed(11)
            model = WavefrontPixelCNN(Config(channels=channels, width=16, blocks=2, head_width=8, n_mix=2))
            path.write_bytes(with_known_answer(export(model, order)).to_bytes())
    expected = {}
    for name, shape in SHAPES.items():
        path = FOLDER / f"{name}.pxz"
        if not path.exists():
            path.write_bytes(codec.compress([image(shape)], weights)[0])
        expected[name] = hashlib.sha256(image(shape).tobytes()).hexdigest()
    for name, (damage, _) in BAD.items():
        path = FOLDER / f"{name}.pxz"
        if not path.exists():
            path.write_bytes(damage((FOLDER / "rgb-7x9.pxz").read_bytes()))
    digest = FOLDER / "pixels.json"
    if not digest.exists():
        digest.write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
