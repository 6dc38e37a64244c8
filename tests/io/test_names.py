"""Names of images and of `.pxz` files."""

from pixzip.io import names


def test_the_suffix_is_taken_off_in_upper_case_too() -> None:
    assert names.image_name("a/photo.PNG.PXZ") == "a/photo.PNG"
    assert names.image_name("photo.webp.Pxz") == "photo.webp.png"
    assert names.jpeg_name("v.JPG.PXZ") == "v.JPG"
    assert names.pages_name("scan.TIFF.PXZ", ".tif") == "scan.TIFF"
    assert names.folder_name("images.PXZ") == "images"
    assert names.image_name("pxz") == "pxz.png"
