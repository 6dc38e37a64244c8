"""Golden files of pages with records of originals: good ones give the originals back for ever, others are refused."""

import io
import re
from dataclasses import replace

import pytest
from pixcodecs.container.pages import Kind

from pixzip import codec
from pixzip.codec import describe, pages_original
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.originals import Reason
from tests.helpers import golden, golden_originals
from tests.helpers.golden_page_originals import BAD_PAGE_ORIGINALS, PAGE_ORIGINALS, file, pages, record

OPTIONS = codec.Options()


def read(name: str) -> bytes:
    return (golden.FOLDER / f"{name}.pxz").read_bytes()


@pytest.mark.parametrize("name", PAGE_ORIGINALS)
def test_a_file_gives_its_original_back(name: str) -> None:
    opening, original = PagesOpening(read(name)), PAGE_ORIGINALS[name][1]
    found = decompress_pages(opening, OPTIONS)
    assert found == pages(opening.header.kind)
    assert pages_original.is_kept(opening) == (original is not None)
    facts = describe.facts(read(name))["original"]
    assert facts is None if name.endswith("of-one") else facts["byte_for_byte"] == (original is not None)
    codec.verify(read(name), OPTIONS)
    if original:
        out = io.BytesIO()
        pages_original.rebuild(opening, found, OPTIONS, out)
        assert out.getvalue() == original()


@pytest.mark.parametrize("name", BAD_PAGE_ORIGINALS)
def test_a_bad_record_is_refused_with_its_message_and_leaves_the_pages(name: str) -> None:
    bad, opening = BAD_PAGE_ORIGINALS[name], PagesOpening(read(name))
    assert decompress_pages(opening, OPTIONS) == pages(opening.header.kind)
    with pytest.raises(bad.error, match=re.escape(bad.message)) as found:
        codec.verify(read(name), OPTIONS)
    assert found.type is bad.error


def test_no_record_is_kept_that_readers_refuse_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind.PNG
    plain, slow = file(kind), replace(record(kind), rebuild_s=30.0)
    assert pages_original.with_record(plain, slow, 1000, OPTIONS)[1] == slow
    monkeypatch.setattr("pixzip.codec.costs.SMALL_NS", 20 * 10**9)
    packed, kept = pages_original.with_record(plain, slow, 1000, OPTIONS)
    assert kept.reason is Reason.TIME
    assert PagesOpening(packed).original == kept
    assert describe.facts(packed)["original"] == {"byte_for_byte": False, "why_not": kept.why_not}


def test_a_record_of_pages_counts_only_in_a_file_of_pages() -> None:
    opening = codec.Opening(golden_originals.ORIGINALS["v2-original-pages"].make())
    assert opening.original is None
    codec.verify(opening, OPTIONS)
    assert describe.facts(opening.file)["original"] is None
