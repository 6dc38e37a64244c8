"""Commands that print reports."""

import json
from pathlib import Path
from typing import Any

import pytest
from pixcodecs.container import image as container

from tests.helpers.shell import GREY, RGB, bad, good
from tests.helpers.support import tiny_weights


@pytest.mark.usefixtures("models_only")
def test_info(shipped: Path) -> None:
    good("compress", "grey.png", "-o", "a.pxz", "--model", "base", "-e", "1")
    size = (shipped / "a.pxz").stat().st_size
    facts: dict[str, Any] = json.loads(good("info", "a.pxz", "--json").stdout)
    assert (facts["width"], facts["height"], facts["channels"], facts["mode"]) == (10, 7, 1, "GREY")
    assert facts["models"] == [{"id": tiny_weights(1).model_id.hex(), "name": "base-grey"}]
    assert facts["blocks"] == {"MODEL": 1}
    assert facts["file_bytes"] == size > facts["header_bytes"]
    assert facts["bpsp"] == 8 * size / 70
    assert facts["samples_crc"] == [f"{container.crc32(GREY.tobytes()):08x}"]
    assert "base-grey" in good("info", "a.pxz").stdout
    bad("info", "missing.pxz", words="missing.pxz: No such file")


@pytest.mark.usefixtures("models_only")
def test_eval(shipped: Path) -> None:
    found = json.loads(good("eval", "rgb.png", "grey.png", "--json").stdout)
    good("compress", "rgb.png", "grey.png", "--model", "base", "-e", "1", "--no-original")
    for row in found["images"]:
        assert row["file_bits"] == 8 * (shipped / f"{row['image']}.pxz").stat().st_size
        assert row["ratio"] == pytest.approx(row["file_bits"] / row["model_bits"])
    assert found["total"]["file_bits"] == sum(row["file_bits"] for row in found["images"])
    assert found["total"]["bits_per_dim"] == pytest.approx(found["total"]["model_bits"] / (RGB.size + GREY.size))
    assert "total" in good("eval", "rgb.png").stdout
    result = bad("eval", "rgb.png", "missing.png", "--json", words="missing.png: No such file")
    assert len(json.loads(result.stdout)["images"]) == 1


def test_models(shipped: Path) -> None:
    rows = json.loads(good("models", "--json").stdout)
    assert [(row["name"], row["channels"]) for row in rows] == [("base", 3), ("base-grey", 1)]
    assert tiny_weights(1).model_id.hex() in good("models").stdout
