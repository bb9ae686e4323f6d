"""Files as spreadsheets of many countries write them: read as they are meant, or refused with what to do."""

from __future__ import annotations

import codecs

import pytest

from ledger.separated import NotText, decoded, separator

SAID = "sku,title\nMUG,Tür für Küche\n"


@pytest.mark.parametrize(
    "content",
    [
        SAID.encode(),
        codecs.BOM_UTF8 + SAID.encode(),
        codecs.BOM_UTF16_LE + SAID.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + SAID.encode("utf-16-be"),
    ],
)
def test_text_is_read_in_each_encoding_that_can_be_told(content: bytes) -> None:
    assert decoded(content) == SAID


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (SAID.encode("cp1252"), 2),
        (b"\xff", 1),
        (codecs.BOM_UTF16_LE + b"a", 1),
    ],
)
def test_an_older_encoding_is_not_guessed_but_named_with_its_line(
    content: bytes, line: int
) -> None:
    with pytest.raises(NotText, match=f"line {line} is not UTF-8: save it again as CSV UTF-8"):
        decoded(content)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("sku,pack", ","),
        ("sku;pack;supplier", ";"),
        ("sku\tpack", "\t"),
        ("sku", ","),
        ("", ","),
        ("sku;title, long;pack", ";"),
    ],
)
def test_cells_are_separated_by_what_the_first_line_has_most_of(first: str, said: str) -> None:
    assert separator(first) == said
