"""The program that `test_machines.py` starts for every machine: python -m tests.helpers.machines DIR PART ...

It prints JSON: the number of threads, what each form of the engine found in DIR, and the digests of both stages.
"""

import hashlib
import json
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.batch import Samples
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.registry import load_wavefront
from tests.helpers.support import decoding, encoding, noise, scene

#: What a machine does: payloads by every form of the engine; payloads of both stages by the compiled loop.
FORMS, STAGES = "forms", "stages"


def batches() -> list[tuple[list[Samples], list[Precision]]]:
    """Images and their precisions: 8 bits, and smaller ones of 12 and 16 bits."""
    found = [([scene(3, 5, 10, 1), noise(3, 1, 1, 2), noise(3, 3, 3, 3)], [Precision()] * 3)]
    made = [scene(3, 3, 6, 1), noise(3, 1, 1, 2), noise(3, 2, 3, 3)]
    for depth, units in ((12, (0, 2, 4)), (16, (0, 5, 8))):
        deep = [(p.astype(np.uint16) << depth - 8) + (p[::-1, ::-1] & (1 << depth - 8) - 1) for p in made]
        found.append((deep, [Precision(depth, unit) for unit in units]))
    return found


def digest(parts: Iterable[bytes]) -> str:
    h = hashlib.sha256()
    for part in parts:
        h.update(len(part).to_bytes(8, "little") + part)
    return h.hexdigest()


def written(folder: Path) -> list[list[bytes]]:
    """The payloads in a folder, of each batch."""
    return [[(folder / f"{n}-{i}").read_bytes() for i in range(len(images))] for n, (images, _) in enumerate(batches())]


def coded(engine: SteppedEngine, folder: Path) -> list[str]:
    """Digests of the payloads that an engine writes together and alone, and of the pixels that it reads so."""
    together, alone, back, back_alone = [], [], [], []
    for (images, precisions), payloads in zip(batches(), written(folder), strict=True):
        sizes = [samples.shape[:2] for samples in images]
        together += engine.encode(encoding(images, precisions))
        alone += [engine.encode(encoding([x], [p]))[0] for x, p in zip(images, precisions, strict=True)]
        back += engine.decode(decoding(payloads, sizes, precisions))
        for payload, size, p in zip(payloads, sizes, precisions, strict=True):
            back_alone += engine.decode(decoding([payload], [size], [p]))
    stream = (folder / "stream").read_bytes()
    encoder, (images, _) = range_coder.Encoder(), batches()[0]
    engine.encode_into(encoding(images), encoder)
    assert encoder.finish() == stream
    decoded = engine.decode_from([p.shape[:2] for p in images], range_coder.Decoder(stream))
    assert all(map(np.array_equal, decoded, images))
    return [digest(together), digest(alone), digest(p.tobytes() for p in back), digest(p.tobytes() for p in back_alone)]


def forms(folder: Path) -> dict[str, list[str]]:
    """Form of the engine -> the result of `coded`; no int8 where its products are not exact."""
    from pixzip.engine.backends.torch.engine import TensorEngine

    model = load_wavefront(folder / "model")
    found = {"compiled": coded(WavefrontEngine(model), folder)}
    found["float32"] = coded(TensorEngine(model, backend="float32"), folder)
    try:
        found["int8"] = coded(TensorEngine(model, backend="int8"), folder)
    except ModelMismatchError as e:
        sys.stderr.write(f"{e}\n")
    return found


def stages() -> list[str]:
    """Digests of payloads of both stages, of images and stacks, and of what damaged ones decode to."""
    from tests.engine.test_full import digests
    from tests.engine.test_light import both
    from tests.engine.test_stacks import digests as stacked

    return [*both().split(), *digests().split(), *stacked().split()]


def main(folder: Path, parts: Sequence[str]) -> None:
    warnings.simplefilter("error")
    found = {"threads": threads.get_threads()}
    if FORMS in parts:
        found[FORMS] = forms(folder)
    if STAGES in parts:
        found[STAGES] = stages()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
