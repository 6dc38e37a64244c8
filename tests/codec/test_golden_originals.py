"""Golden files with records of originals: good ones give the originals back for ever, others are refused."""

import io
import re

import numpy as np
import pytest

from pixzip import codec
from pixzip.codec import describe, original
from tests.helpers import golden
from tests.helpers.golden_originals import BAD_ORIGINALS, ORIGINALS, SAMPLES


def opened(name: str) -> codec.Opening:
    return codec.Opening((golden.FOLDER / f"{name}.pxz").read_bytes())


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_file_gives_its_original_back(name: str) -> None:
    opening, make = opened(name), ORIGINALS[name].original
    (picture,) = codec.decompress([opening])
    assert np.array_equal(picture.samples[..., 0], SAMPLES)
    assert original.is_kept(opening) == (make is not None)
    assert list(describe.lines(describe.facts(opening.file)))
    if make:
        out = io.BytesIO()
        original.rebuild(opening, picture, codec.Options(), out)
        assert out.getvalue() == make()
        codec.verify(opening, codec.Options())


@pytest.mark.parametrize("name", BAD_ORIGINALS)
def test_a_bad_record_is_refused_with_its_message_and_leaves_the_picture(name: str) -> None:
    bad, opening = BAD_ORIGINALS[name], opened(name)
    (picture,) = codec.decompress([opening])
    assert np.array_equal(picture.samples[..., 0], SAMPLES)
    with pytest.raises(bad.error, match=re.escape(bad.message)) as found:
        codec.verify(opening, codec.Options())
    assert found.type is bad.error
