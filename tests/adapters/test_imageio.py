"""imageio reads and writes `.pxz` files through Pillow, with the plug-in named or found automatically."""

import io
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

import pixzip
from tests.helpers.support import scene

NAMED: list[dict[str, Any]] = [{"plugin": "pillow"}, {}]
IMAGES = {
    "grey": scene(1, 20, 30, 0)[0],
    "RGB": np.ascontiguousarray(scene(3, 20, 30, 0)),
    "RGBA": np.ascontiguousarray(scene(4, 20, 30, 0)),
    "16 bits": scene(1, 20, 30, 0)[0].astype(np.uint16) * 257,
}


@pytest.mark.parametrize("how", NAMED, ids=["pillow", "found"])
@pytest.mark.parametrize("name", IMAGES)
def test_images_are_written_and_read(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    path, image = tmp_path / "a.pxz", IMAGES[name]
    iio.imwrite(path, image, model="fast", **how)
    again = iio.imread(path, **how)

    assert path.read_bytes() == pixzip.encode(image, "fast")
    assert again.dtype == image.dtype
    np.testing.assert_array_equal(again, image)


@pytest.mark.parametrize("how", NAMED, ids=["pillow", "found"])
def test_properties_and_metadata_are_read(how: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.pxz"
    iio.imwrite(path, IMAGES["RGB"], model="fast", dpi=(300, 300), **how)
    properties, metadata = iio.improps(path, **how), iio.immeta(path, **how)

    assert (properties.shape, properties.dtype, properties.is_batch) == ((20, 30, 3), np.uint8, False)
    assert (metadata["mode"], metadata["shape"]) == ("RGB", (30, 20))
    assert metadata["dpi"] == pytest.approx((300, 300), rel=1e-4)


@pytest.mark.parametrize("how", NAMED, ids=["pillow", "found"])
def test_bytes_and_streams_are_read(how: dict[str, Any]) -> None:
    data = pixzip.encode(IMAGES["RGB"], "fast")
    np.testing.assert_array_equal(iio.imread(data, **how), IMAGES["RGB"])
    np.testing.assert_array_equal(iio.imread(io.BytesIO(data), **how), IMAGES["RGB"])


def test_bytes_are_written_with_an_extension() -> None:
    data = iio.imwrite("<bytes>", IMAGES["RGB"], plugin="pillow", extension=".pxz", model="fast")
    assert data == pixzip.encode(IMAGES["RGB"], "fast")


def test_what_the_format_does_not_hold_is_an_error() -> None:
    with pytest.raises(OSError, match="image mode CMYK"):
        iio.imwrite("<bytes>", IMAGES["RGBA"], mode="CMYK", plugin="pillow", extension=".pxz")
