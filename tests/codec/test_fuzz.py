"""A short run of the fuzzer; `python -m bench.fuzz` is the long one."""

import sys
from random import Random

import pytest
from pixcodecs.container import image as container
from pixcodecs.container import signature, stack
from pixcodecs.container.blocks import Kind
from pixcodecs.container.kept import is_kept

if sys.platform == "win32":
    pytest.skip("needs timers and resource limits of POSIX", allow_module_level=True)

from tests.helpers import fuzzing, mutations


def test_damaged_and_forged_files_give_the_exact_picture_or_an_error() -> None:
    report = fuzzing.run(400, seed=1)
    assert not report.findings
    outcomes = set().union(*report.by_seed.values())
    assert {"exact", "BitstreamError", "ModelMismatchError"} <= outcomes  # otherwise the test proves little


def test_the_seeds_have_blocks_of_every_kind() -> None:
    kinds = set()
    for seed in fuzzing.seeds():
        others = stack.is_stack, is_kept, signature.is_pages, signature.is_model
        if any(is_one(seed.data) for is_one in others):
            continue
        header = container.read_header(seed.data)
        kinds |= {container.block(seed.data, header, i)[0] for i in range(len(header.tiles)) if header.version > 1}
    assert kinds == set(Kind)


def test_a_mutation_depends_on_its_number_alone() -> None:
    among = fuzzing.seeds()
    made = [mutations.mutate(Random(f"0:{n}"), among) for n in range(60)]
    assert [m.data for m in made[30:]] == [mutations.mutate(Random(f"0:{n}"), among).data for n in range(30, 60)]


def test_wrong_pixels_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the fuzzer on a decoder that accepts every checksum."""
    seeds = [seed for seed in fuzzing.seeds() if seed.name == "v2-palette"]
    monkeypatch.setattr(container, "block", _unchecked)
    monkeypatch.setattr("pixzip.codec.decoder.samples_crc", lambda samples: _Any())
    problems = set()
    for n in range(300):
        rng = Random(n)
        try:
            fuzzing.attempt(rng, mutations.accident(rng, seeds[0], seeds[0]), {})
        except fuzzing.Finding as e:
            problems.add(str(e))
    assert "other pixels without an error" in problems


class _Any:
    def __ne__(self, other: object) -> bool:
        return False


def _unchecked(data: bytes, header: container.Header, tile: int) -> bytes:
    return data[header.starts[tile] : header.starts[tile + 1]]
