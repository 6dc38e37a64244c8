"""A fixed number of slots holds the schedule's pixels at every step, and idle slots touch no image."""

import numpy as np
import pytest
import torch

from pixzip.engine.backends.cuda.slots import Pixels, Slots
from pixzip.engine.schedule import RING, Schedule
from pixzip.models.wavefront.taps import MASK_A, MASK_B

BATCHES = {
    "1x1": [(1, 1)],
    "1xN": [(1, 13)],
    "Nx1": [(9, 1)],
    "Nx2": [(6, 2)],
    "odd": [(7, 11)],
    "square": [(8, 8)],
    "lines between images": [(5, 9), (1, 20), (12, 4), (20, 1), (1, 1), (3, 30)],
    "short before tall": [(2, 3), (25, 2), (2, 41)],
    "many": [(1 + i % 5, 1 + 3 * i % 7) for i in range(40)],
}


@pytest.fixture(params=BATCHES, name="slots")
def _slots(request: pytest.FixtureRequest) -> Slots:
    return Slots(BATCHES[request.param], torch.device("cpu"))


def at(slots: Slots, t: int) -> Pixels:
    return slots.at(torch.tensor(t))


def pixels_of(slots: Slots, t: int) -> list[tuple[int, int, int]]:
    """(image, y, x) of a step, in the order in which they are coded."""
    return [
        (i, y, t - 2 * y)
        for i, (h, w) in enumerate(slots.schedule.sizes)
        for y in range(h)
        if 0 <= t - 2 * y < w
    ]  # fmt: skip


def test_active_slots_are_the_pixels_of_the_schedule_in_its_order(slots: Slots) -> None:
    for step in Schedule(slots.schedule.sizes):
        pixels = at(slots, step.t)
        assert pixels.address[pixels.active].tolist() == step.address.tolist()
        image = np.repeat(np.arange(len(slots.counts)), slots.counts)
        assert image[pixels.active.numpy()].tolist() == step.image.tolist()


def test_every_pixel_is_coded_once(slots: Slots) -> None:
    coded = [at(slots, t) for t in range(slots.schedule.steps)]
    addresses = torch.cat([p.address[p.active] for p in coded]).tolist()
    assert sorted(addresses) == np.flatnonzero(slots.schedule.inside()).tolist()


def test_shapes_are_those_of_the_first_step_at_every_step_and_beyond(slots: Slots) -> None:
    m, first = len(slots), at(slots, 0)
    assert first.active.shape == first.address.shape == first.write.shape == (m,)
    assert first.seen.shape == first.inside.shape == (m, len(MASK_A))
    assert first.read.shape == (m * len(MASK_B),)
    for t in range(slots.schedule.steps + 5):
        for field, other in zip(first, at(slots, t), strict=True):
            assert (field.shape, field.dtype) == (other.shape, other.dtype)


def test_taps_read_the_pixels_beside_and_above_and_none_outside_the_image(slots: Slots) -> None:
    for t in range(slots.schedule.steps):
        pixels = at(slots, t)
        active = np.flatnonzero(pixels.active.numpy())
        for slot, (i, y, x) in zip(active, pixels_of(slots, t), strict=True):
            h, w = slots.schedule.sizes[i]
            window = slots.schedule.view(np.arange(slots.buffer_pixels), i)
            for tap, (dy, dx) in enumerate(MASK_A):
                inside = 0 <= y + dy < h and 0 <= x + dx < w
                assert pixels.inside[slot, tap] == inside
                expected = window[y + dy, x + dx] if inside else slots.buffer_pixels - 1
                assert pixels.seen[slot, tap] == expected


def test_rings_are_read_where_the_neighbours_features_are(slots: Slots) -> None:
    """Every write records the pixel whose features a row holds; a tap must read those of its neighbour, or zeros."""
    holds: list[tuple[int, int, int] | None] = [None] * slots.ring_rows
    zero = slots.ring_rows - 1
    for t in range(slots.schedule.steps):
        pixels, own = at(slots, t), pixels_of(slots, t)
        active = np.flatnonzero(pixels.active.numpy())
        written = pixels.write[pixels.active].tolist()
        assert len(set(written)) == len(written)
        assert zero not in pixels.write.tolist()
        for row, pixel in zip(written, own, strict=True):
            holds[row] = pixel
        read = pixels.read.view(len(slots), len(MASK_B))
        for slot, (i, y, x) in zip(active, own, strict=True):
            h, w = slots.schedule.sizes[i]
            for tap, (dy, dx) in enumerate(MASK_B):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    assert holds[int(read[slot, tap])] == (i, y + dy, x + dx)
                else:
                    assert read[slot, tap] == zero


def test_idle_slots_write_where_nobody_reads_and_read_zeros(slots: Slots) -> None:
    inside = slots.schedule.inside()
    for t in range(slots.schedule.steps + 5):
        pixels = at(slots, t)
        idle = ~pixels.active
        assert set(pixels.address[idle].tolist()) <= {slots.buffer_pixels - 2}
        assert set(pixels.seen[idle].flatten().tolist()) <= {slots.buffer_pixels - 1}
        assert not pixels.inside[idle].any()
        assert set(pixels.write[idle].tolist()) <= {slots.ring_rows - 2}
        read = pixels.read.view(len(slots), len(MASK_B))
        assert set(read[idle].flatten().tolist()) <= {slots.ring_rows - 1}
        assert slots.buffer_pixels - 2 not in pixels.seen
        assert slots.ring_rows - 2 not in read
    assert len(inside) <= slots.buffer_pixels - 2


def test_after_the_last_step_all_slots_are_idle(slots: Slots) -> None:
    for t in range(slots.schedule.steps, slots.schedule.steps + RING):
        assert not at(slots, t).active.any()


def test_an_image_has_as_many_slots_as_its_longest_diagonal(slots: Slots) -> None:
    found = [
        max(sum(i == image for i, _, _ in pixels_of(slots, t)) for t in range(slots.schedule.steps))
        for image in range(len(slots.counts))
    ]
    assert found == slots.counts.tolist()
    assert slots.first.tolist() == [sum(found[:i]) for i in range(len(found))]
    assert len(slots) == sum(found) == slots.schedule.most
