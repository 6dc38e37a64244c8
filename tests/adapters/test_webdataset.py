"""Samples with `.pxz` fields in tars, written and read by webdataset itself, and by Hugging Face's datasets."""

import doctest
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixzip
from pixzip.adapters import webdataset_handler
from pixzip.webdataset import pxz
from tests.helpers.support import photos

PHOTOS = photos(5, 10, 12)
#: webdataset leaves its files to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def tar(tmp_path: Path) -> str:
    """A shard of five samples, with an image, a stack and a label each."""
    webdataset = pytest.importorskip("webdataset")
    path = tmp_path / "shard-000.tar"
    with webdataset.TarWriter(str(path)) as writer:
        for i, image in enumerate(PHOTOS):
            stack = pixzip.encode_stack(PHOTOS[:2, ..., 0], "fast")
            fields = {"pxz": pixzip.encode(image, "fast", effort=1), "all.PXZ": stack, "cls": i}
            writer.write({"__key__": f"{i:03}", **fields})
    return str(path)


def test_examples_are_true() -> None:
    assert doctest.testmod(webdataset_handler).failed == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_webdataset_decodes_the_fields_of_samples(workers: int, tar: str) -> None:
    import webdataset

    data = webdataset.WebDataset(tar, shardshuffle=False).decode(pxz).to_tuple("pxz", "all.pxz", "cls")
    found: list[Any] = list(webdataset.WebLoader(data, batch_size=None, num_workers=workers))
    assert [label for _, _, label in found] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.stack([np.asarray(image) for image, _, _ in found]), PHOTOS)
    np.testing.assert_array_equal(np.stack([np.asarray(x) for x in found[0][1]]), PHOTOS[:2, ..., 0])


def test_a_damaged_or_too_large_field_ends_in_webdatasets_error(tar: str) -> None:
    import webdataset

    small = functools.partial(pxz, max_pixels=100)
    with pytest.raises(webdataset.autodecode.DecodingError) as error:
        next(iter(webdataset.WebDataset(tar, shardshuffle=False).decode(small)))
    assert isinstance(error.value.__cause__, pixzip.BitstreamError)


def smaller(row: dict[str, Any]) -> dict[str, Any]:
    """The recipe's function."""
    return {"image": {"bytes": pixzip.encode(row["image"], "fast", effort=1), "path": "image.pxz"}}


def test_hugging_face_datasets_keep_files_and_decode_images_through_pillow(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [Image.fromarray(image) for image in PHOTOS], "label": [0, 1, 2, 3, 4]}
    found = datasets.Dataset.from_dict(rows, features=features)
    found.map(smaller).to_parquet(str(tmp_path / "train.parquet"))

    again = datasets.Dataset.from_parquet(str(tmp_path / "train.parquet"), cache_dir=str(tmp_path / "cache"))
    assert again.features == features
    np.testing.assert_array_equal(np.asarray(again[3]["image"]), PHOTOS[3])
    np.testing.assert_array_equal(again.with_format("numpy")[:2]["image"], PHOTOS[:2])
    kept = again.cast_column("image", datasets.Image(decode=False))
    assert kept[3]["image"]["bytes"] == pixzip.encode(PHOTOS[3], "fast", effort=1)
