"""Codes of limited length as zlib makes them [1]: Huffman's, with its ways to break ties and to shorten long codes.

[1] Gailly and Adler, zlib 1.2.13, trees.c: `build_tree`, `gen_bitlen`, `scan_tree` and `gen_codes`.
"""

import numpy as np

from pixcodecs.compiled import compiled, inlined
from pixcodecs.deflate.symbols import LITERALS

LONGEST_CODE = 15
#: Places for the nodes of the largest tree.
NODES = 2 * LITERALS + 1
#: Symbols that repeat a length 3 to 6 times, and none 3 to 10 and 11 to 138 times.
_AGAIN, _FEW_ZEROS, _MANY_ZEROS = 16, 17, 18


@inlined
def _is_smaller(counts, depths, n, m):
    return counts[n] < counts[m] or (counts[n] == counts[m] and depths[n] <= depths[m])


@inlined
def _sink(heap, size, counts, depths, k):
    """Restore the order of the heap, in places 1 to `size`, from place k on."""
    v, j = heap[k], 2 * k
    while j <= size:
        if j < size and _is_smaller(counts, depths, heap[j + 1], heap[j]):
            j += 1
        if _is_smaller(counts, depths, v, heap[j]):
            break
        heap[k] = heap[j]
        k, j = j, 2 * j
    heap[k] = v


@compiled
def lengths_of(counts, symbols, most, heap, depths, parents, numbers, lengths):
    """The lengths of a code; returns its last symbol.

    Args:
        counts: how often each of the `symbols` first symbols occurs; a symbol is added if there are fewer than two.
        most: bits of the longest code.
        heap, depths, parents: (NODES,), which are written, as are the counts behind the symbols.
        numbers: (LONGEST_CODE + 1,), becomes the number of codes of each length.
        lengths: (NODES,), of 0 for symbols that do not occur.
    """
    size, last = 0, -1
    for n in range(symbols):
        lengths[n] = 0
        if counts[n]:
            size += 1
            heap[size], last, depths[n] = n, n, 0
    while size < 2:
        node = 0
        if last < 2:
            last += 1
            node = last
        size += 1
        heap[size], counts[node], depths[node] = node, 1, 0
    for n in range(size // 2, 0, -1):
        _sink(heap, size, counts, depths, n)
    top, node = NODES, symbols
    while size >= 2:
        n = heap[1]
        heap[1] = heap[size]
        size -= 1
        _sink(heap, size, counts, depths, 1)
        m = heap[1]
        heap[top - 1], heap[top - 2] = n, m
        top -= 2
        counts[node], depths[node] = counts[n] + counts[m], max(depths[n], depths[m]) + 1
        parents[n] = parents[m] = node
        heap[1] = node
        node += 1
        _sink(heap, size, counts, depths, 1)
    top -= 1
    heap[top] = heap[1]
    _limit(heap, top, last, most, parents, numbers, lengths)
    return last


@inlined
def _limit(heap, top, last, most, parents, numbers, lengths):
    """Lengths of at most so many bits from a tree, whose nodes are in the heap from the root on."""
    numbers[:] = 0
    lengths[heap[top]] = 0
    over = 0
    for h in range(top + 1, NODES):
        n = heap[h]
        bits = lengths[parents[n]] + 1
        if bits > most:
            bits = most
            over += 1
        lengths[n] = bits
        if n <= last:
            numbers[bits] += 1
    if over == 0:
        return
    while over > 0:
        bits = most - 1
        while numbers[bits] == 0:
            bits -= 1
        numbers[bits] -= 1
        numbers[bits + 1] += 2
        numbers[most] -= 1
        over -= 2
    h = NODES
    for bits in range(most, 0, -1):
        left = numbers[bits]
        while left:
            h -= 1
            if heap[h] <= last:
                lengths[heap[h]] = bits
                left -= 1


@compiled
def runs(lengths, out, n):
    """Write the lengths of a code as symbols with runs, from place n on; returns the place behind them.

    Args:
        out: (2, N) the symbols, and the value of the bits beyond each.
    """
    size = lengths.shape[0]
    last, ahead, count = np.int64(-1), np.int64(lengths[0]), 0
    for i in range(size):
        own = ahead
        ahead = np.int64(lengths[i + 1]) if i + 1 < size else np.int64(-1)
        most = 138 if own == 0 else (6 if own == last else 7)
        count += 1
        if count < most and own == ahead:
            continue
        if own and own != last and count >= 4:
            out[0, n], out[1, n] = own, 0
            n += 1
            count -= 1
            last = own
        if count < 3 or (own and own != last):
            for _ in range(count):
                out[0, n], out[1, n] = own, 0
                n += 1
        elif own:
            out[0, n], out[1, n] = _AGAIN, count - 3
            n += 1
        else:
            out[0, n] = _FEW_ZEROS if count <= 10 else _MANY_ZEROS
            out[1, n] = count - (3 if count <= 10 else 11)
            n += 1
        last, count = own, 0
    return n


@compiled
def codes_of(lengths, codes):
    """The codes of given lengths, their first bit the lowest."""
    code = np.int64(0)
    for bits in range(1, LONGEST_CODE + 1):
        code <<= 1
        for n in range(lengths.shape[0]):
            if lengths[n] == bits:
                turned = np.int64(0)
                for k in range(bits):
                    turned |= ((code >> k) & 1) << (bits - 1 - k)
                codes[n] = turned
                code += 1
