"""The tables of quantisation: standard ones of some quality, or estimated from the coefficients."""

import math

import numpy as np
from numpy.typing import NDArray

from pixcodecs.jpeg.finding.fitting import COSINES
from pixcodecs.jpeg.finding.grid import collect, count_equal, likelihoods
from pixcodecs.jpeg.tables import Table, standard

Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

_STANDARD = [np.array([standard(q, chroma) for q in range(1, 101)]) for chroma in (False, True)]
_LOGARITHMS = np.array([0.0, *(round(math.log(q), 6) for q in range(1, 256))])
#: Blocks that are looked at, and of how many of the liveliest ones.
_BLOCKS, _OF = 256, 512
#: Share of them that come back by rounding alone with the right tables, at least; they are fewer where steps are small.
_EQUAL = 0.12
#: Share that leaves no doubt, and by how much estimated tables must be better than standard ones.
_MOST, _GAIN = 0.9, 0.05
#: Deviation of the noise that rounding samples adds to their coefficients, with some room.
_NOISE = 0.31


def _lively(plane: Plane, known: Mask) -> NDArray[np.float64]:
    """(N, 64) samples less 128 of blocks that are known and vary most: there rounding is like noise."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 8, 8)
    whole = (known == 1).reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64).all(1)
    blocks = blocks[whole]
    varied = np.abs(np.diff(blocks, axis=1)).sum((1, 2)) + np.abs(np.diff(blocks, axis=2)).sum((1, 2))
    chosen = np.argsort(-varied, kind="stable")[:_OF]
    chosen = chosen[varied[chosen] > 0][:: max(1, len(chosen) // _BLOCKS)]
    return np.ascontiguousarray(blocks[chosen].reshape(-1, 64).astype(np.float64) - 128)


def _equal(blocks: NDArray[np.float64], tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many blocks come back with each table."""
    found = np.zeros(len(tables), np.int64)
    count_equal(blocks, tables, found, COSINES, np.empty((3, 64)), np.empty(64, np.int64))
    return found


def find_tables(planes: list[tuple[Plane, Mask]]) -> list[Table] | None:
    """Tables of luma and of chroma, from their samples in whole blocks and which of them are known.

    Returns:
        (64,) each, row by row; None if no tables give enough blocks back.
    """
    blocks = [_lively(*plane) for plane in planes]
    if not len(blocks[0]):
        return None
    counts = [_equal(own, _STANDARD[i]) for i, own in enumerate(blocks)]
    quality = int(np.sum(counts, 0).argmax())
    found = []
    for i, own in enumerate(blocks):
        best = quality if counts[i][quality] >= _MOST * len(own) else int(counts[i].argmax())
        table, share = _STANDARD[i][best], counts[i][best] / max(len(own), 1)
        if len(own) and share < _MOST:
            other = _estimated(own, _STANDARD[i])
            again = _equal(own, other[None])[0] / len(own)
            if again > share + _GAIN:
                table, share = other, again
            elif counts[i][quality] / len(own) >= share - _GAIN:
                table = _STANDARD[i][quality]
            if share < _EQUAL:
                return None
        found.append(table)
    return found


def _estimated(blocks: NDArray[np.float64], tables: NDArray[np.int64]) -> Table:
    """The likeliest steps; where coefficients are always zero, those of the standard table nearest elsewhere."""
    values, counts = np.zeros((64, len(blocks)), np.float32), np.zeros(64, np.int64)
    noise, found = np.full(64, _NOISE), np.zeros((64, 256))
    collect(blocks, noise, values, counts, COSINES, np.empty((3, 64)))
    likelihoods(values, counts, noise, _LOGARITHMS, found)
    found[:, 0] = -np.inf
    steps, seen = found.argmax(1).astype(np.int64), counts > 1
    distances = np.abs(_LOGARITHMS[tables[:, seen]] - _LOGARITHMS[steps[seen]]).sum(1)
    found_table: Table = np.where(seen, steps, tables[int(distances.argmin())])
    return found_table
