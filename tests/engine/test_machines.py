"""Equal bytes on every machine that this one can simulate, each in its own process."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pixcodecs.coders import range as range_coder
from pixcodecs.container.blocks import Precision

from pixzip.engine.backends.torch.engine import TensorEngine
from tests.helpers.support import encoding, noise, scene, tiny_weights

#: Variables for instruction sets and threads; removed from a child's environment unless a case sets them.
VARIABLES = (
    "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES",
)  # fmt: skip
CASES: dict[str, dict[str, str]] = {
    "default": {"OMP_NUM_THREADS": "1"},
    "AVX512 without VNNI": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OMP_NUM_THREADS": "1"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"},
    "plain torch kernels": {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"},
    "MKL with AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "1"},
    "OpenBLAS with SSE4.2": {"OPENBLAS_CORETYPE": "Nehalem", "OMP_NUM_THREADS": "1"},
    "compiled for any CPU": {"NUMBA_CPU_NAME": "generic", "OMP_NUM_THREADS": "1"},
    "compiled for AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2", "OMP_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},  # active waiting starves on a busy machine
    "two threads, all of the oldest": {
        "ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Prescott", "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE",
    },
}  # fmt: skip

CHILD = """
import hashlib, json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
import numpy as np
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.errors import ModelMismatchError
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.registry import load_wavefront as load
from tests.engine.test_machines import batches, digest
from tests.helpers.support import decoding, encoding

folder = Path(sys.argv[1])
model = load(folder / "model")
found = {}
for form in ("compiled", "float32", "int8"):
    try:
        engine = WavefrontEngine(model) if form == "compiled" else TensorEngine(model, backend=form)
    except ModelMismatchError as e:
        assert form == "int8", e
        found[form] = "not exact here"
        continue
    together, alone, back, back_alone = [], [], [], []
    for n, (images, precisions) in enumerate(batches()):
        payloads = [(folder / f"{n}-{i}").read_bytes() for i in range(len(images))]
        sizes = [samples.shape[:2] for samples in images]
        together += engine.encode(encoding(images, precisions))
        alone += [engine.encode(encoding([x], [p]))[0] for x, p in zip(images, precisions)]
        back += engine.decode(decoding(payloads, sizes, precisions))
        for payload, size, p in zip(payloads, sizes, precisions):
            back_alone += engine.decode(decoding([payload], [size], [p]))
    stream = (folder / "stream").read_bytes()
    encoder, images = range_coder.Encoder(), batches()[0][0]
    engine.encode_into(encoding(images), encoder)
    assert encoder.finish() == stream
    decoded = engine.decode_from([p.shape[:2] for p in images], range_coder.Decoder(stream))
    assert all(map(np.array_equal, decoded, images))
    found[form] = [
        digest(together), digest(alone), digest(p.tobytes() for p in back), digest(p.tobytes() for p in back_alone)
    ]
print(json.dumps({"threads": threads.get_threads(), "found": found}))
"""


def batches():  # type: ignore[no-untyped-def]
    """Images and their precisions: 8, 12 and 16 bits."""
    made = [scene(3, 9, 14, 1), noise(3, 1, 1, 2), noise(3, 5, 3, 3)]
    found = [(made, [Precision()] * 3)]
    for depth, units in ((12, (0, 2, 4)), (16, (0, 5, 8))):
        deep = [(p.astype(np.uint16) << depth - 8) + (p[::-1, ::-1] & (1 << depth - 8) - 1) for p in made]
        found.append((deep, [Precision(depth, unit) for unit in units]))
    return found


def digest(parts) -> str:  # type: ignore[no-untyped-def]
    h = hashlib.sha256()
    for part in parts:
        h.update(len(part).to_bytes(8, "little") + part)
    return h.hexdigest()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and the payloads, written by this process, for every case to decode."""
    folder: Path = tmp_path_factory.mktemp("machines")
    model = tiny_weights(3, seed=11, spread=1.0)
    (folder / "model").write_bytes(model.to_bytes())
    engine = TensorEngine(model, backend="float32")
    for n, (images, precisions) in enumerate(batches()):
        for i, payload in enumerate(engine.encode(encoding(images, precisions))):
            (folder / f"{n}-{i}").write_bytes(payload)
    encoder = range_coder.Encoder()
    engine.encode_into(encoding(batches()[0][0]), encoder)
    (folder / "stream").write_bytes(encoder.finish())
    return folder


@pytest.mark.parametrize("name", CASES)
def test_payloads_and_decoded_pixels_are_the_same(name: str, written: Path, child_env: dict[str, str]) -> None:
    kept = {k: v for k, v in child_env.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(written)],
        env=kept | CASES[name], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    payloads = digest(
        (written / f"{n}-{i}").read_bytes() for n, (images, _) in enumerate(batches()) for i in range(len(images))
    )
    pixels = digest(samples.tobytes() for images, _ in batches() for samples in images)
    forms = {form: found for form, found in report["found"].items() if found != "not exact here"}
    assert {"compiled", "float32"} <= set(forms)
    for form, found in forms.items():
        assert found == [payloads, payloads, pixels, pixels], form
    assert report["threads"] == int(CASES[name]["OMP_NUM_THREADS"])
