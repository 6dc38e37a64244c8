"""The standard tables and the zigzag of JPEG, ITU-T T.81, by another way than `pixcodecs.jpeg.tables`."""

LUMA = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
]  # fmt: skip
CHROMA = [99] * 64
for _at, _step in zip((0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 24, 25),
                      (17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 47, 66), strict=True):  # fmt: skip
    CHROMA[_at] = _step


def zigzag() -> list[int]:
    found, v, u = [], 0, 0
    for _ in range(64):
        found.append(8 * v + u)
        if (v + u) % 2 == 0:
            v, u = (v + 1, u) if u == 7 else (v, u + 1) if v == 0 else (v - 1, u + 1)
        else:
            v, u = (v, u + 1) if v == 7 else (v + 1, u) if u == 0 else (v + 1, u - 1)
    return found


ZIGZAG = zigzag()
