"""Integer samples of subsampled chroma that upsampling turns into exactly the known pixels.

Rounded least squares leave some samples wrong by one.  Each pixel bounds a sum of four samples; samples change by
one as long as fewer pixels, or the same ones by less, contradict their bounds.
"""

from pixcodecs.compiled import compiled, inlined

_SWEEPS = 12


@inlined
def _weight(place, at, factor, fancy, count):
    """How much sample `at` counts at a place of one dimension: of 4 with interpolation, else of 1."""
    near = place // factor
    if factor == 1 or not fancy:
        return 1 if at == near else 0
    other = min(max(near + 2 * (place & 1) - 1, 0), count - 1)
    return (3 if at == near else 0) + (1 if at == other else 0)


@inlined
def _gap(rest, most, total):
    """By how much a remainder leaves its interval, of `total` integers up to `most`."""
    if rest > most:
        return rest - most
    if rest < most - total + 1:
        return rest - (most - total + 1)
    return rest * 0


@inlined
def _most(y, x, vertical, horizontal, fancy):
    """The largest remainder that rounding leaves: libjpeg adds it before it shifts."""
    if not fancy:
        return 0
    if vertical == 2 and horizontal == 2:
        return 8 - (x & 1)
    return 1 + (x & 1) if horizontal == 2 else 1 + (y & 1)


@compiled
def settle(full, is_known, samples, vertical, horizontal, fancy, rows, columns, rests, sure):
    """Make samples agree with the known pixels.

    Args:
        full: (H, W) float32, integers: chroma at each pixel.
        is_known: (H, W) uint8: pixels that count.
        samples: (rows of blocks, columns) int16, changed.
        rows, columns: samples that are used.
        rests: (H, W) int32, for this function's use.
        sure: the shape of `samples`, uint8, written: 1 where known pixels show a sample and all of them agree with it.
    """
    total = 1
    if fancy:
        total = (4 if vertical == 2 else 1) * (4 if horizontal == 2 else 1)
    for y in range(full.shape[0]):
        row = y // vertical
        below = min(max(row + 2 * (y & 1) - 1, 0), rows - 1) if fancy and vertical == 2 else row
        for x in range(full.shape[1]):
            if not is_known[y, x]:
                rests[y, x] = 0
                continue
            column = x // horizontal
            beside = min(max(column + 2 * (x & 1) - 1, 0), columns - 1) if fancy and horizontal == 2 else column
            if total == 1:
                value = samples[row, column]
            elif total == 16:
                value = 3 * (3 * samples[row, column] + samples[below, column])
                value += 3 * samples[row, beside] + samples[below, beside]
            else:
                value = 3 * samples[row, column] + samples[below, beside]
            rests[y, x] = total * int(full[y, x]) - value
    for sweep in range(_SWEEPS + 1):
        changes = 0
        for i in range(rows):
            for j in range(columns):
                y0, y1 = max(vertical * (i - 1) + vertical - 1, 0), min(vertical * (i + 1) + 1, full.shape[0])
                x0, x1 = max(horizontal * (j - 1) + horizontal - 1, 0), min(horizontal * (j + 1) + 1, full.shape[1])
                if vertical == 1:
                    y0, y1 = i, min(i + 1, full.shape[0])
                if horizontal == 1:
                    x0, x1 = j, min(j + 1, full.shape[1])
                now, up, down, shown = 0, 0, 0, 0
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        if is_known[y, x]:
                            shown += 1
                            now |= _gap(rests[y, x], _most(y, x, vertical, horizontal, fancy), total) != 0
                sure[i, j] = shown > 0 and now == 0
                if now == 0 or sweep == _SWEEPS:
                    continue
                now = 0
                for y in range(y0, y1):
                    wy = _weight(y, i, vertical, fancy, rows)
                    for x in range(x0, x1):
                        if not is_known[y, x]:
                            continue
                        weight = wy * _weight(x, j, horizontal, fancy, columns)
                        most = _most(y, x, vertical, horizontal, fancy)
                        if weight == 0:
                            continue
                        gap = _gap(rests[y, x], most, total)
                        now += gap * gap
                        gap = _gap(rests[y, x] - weight, most, total)
                        up += gap * gap
                        gap = _gap(rests[y, x] + weight, most, total)
                        down += gap * gap
                step = 1 if up < now and up <= down else -1 if down < now else 0
                if step:
                    changes += 1
                    samples[i, j] += step
                    for y in range(y0, y1):
                        wy = _weight(y, i, vertical, fancy, rows)
                        for x in range(x0, x1):
                            if is_known[y, x]:
                                rests[y, x] -= step * wy * _weight(x, j, horizontal, fancy, columns)
        if changes == 0 and sweep > 0:
            break
    for i in range(samples.shape[0]):
        for j in range(samples.shape[1]):
            if i >= rows or j >= columns:
                sure[i, j] = 0
