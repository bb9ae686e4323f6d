"""Bytes to segments: separators, dirt, pieces of any size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.edi import envelope
from channels.edi.segments import NotX12, Segment
from channels.edi.x12 import Opening, Token, Tokenizer
from tests.channels.edi.shelf import CALMLY, HEAD, codes, on_the_shelf, text_of

ORDER = ("BEG*00*SA*PO-1**20261123", "PO1*1*3*EA*9.25**UP*036000291452", "CTT*1")


def tokens(*pieces: bytes) -> tuple[list[Token], Tokenizer]:
    tokenizer = Tokenizer()
    read = [token for piece in pieces for token in tokenizer.feed(piece)]
    return read + tokenizer.close(), tokenizer


def test_a_segment_knows_its_byte_and_its_number() -> None:
    text = text_of(*ORDER)

    read, _ = tokens(text.encode())

    line = next(token for token in read if isinstance(token, Segment) and token.id == "PO1")
    assert line.at.offset == text.index("PO1")
    assert line.at.number == 5
    assert line.get(7) == "036000291452"


@pytest.mark.parametrize(
    "terminator",
    ["~", "\n", "\r", "\r\n", "|", "}", "^", "!", "$", "\x85", "\x1c", "~\r\n", "~\n\n"],
)
def test_every_terminator_seen_in_the_wild_is_found(terminator: str) -> None:
    text = text_of(*ORDER).replace("~", terminator)

    assert codes(text) == []


@pytest.mark.parametrize("separator", ["|", "\x1d", "\x07", "+", "^"])
def test_every_element_separator_seen_in_the_wild_is_found(separator: str) -> None:
    text = text_of(*ORDER).replace("*", separator)

    assert codes(text) == []


def test_a_byte_order_mark_is_passed_over_and_told() -> None:
    text = b"\xef\xbb\xbf" + text_of(*ORDER).encode()

    assert codes(text) == ["DIRT"]


def test_text_before_the_interchange_is_passed_over_and_told() -> None:
    assert codes("Subject: your orders\n\n" + text_of(*ORDER)) == ["DIRT"]


def test_text_after_the_interchange_is_told() -> None:
    assert codes(text_of(*ORDER) + "\n-- end of file --\n") == ["STRAY"]


def test_line_breaks_after_the_interchange_are_nothing() -> None:
    assert codes(text_of(*ORDER) + "\r\n\x1a\n") == []


def test_indented_segments_are_told_once() -> None:
    assert codes(text_of(*ORDER).replace("~", "~\n    ").rstrip()) == ["BLANKS"]


def test_a_doubled_terminator_is_told() -> None:
    assert codes(text_of(*ORDER).replace("CTT*1~", "CTT*1~~")) == ["EMPTY-SEGMENT"]


def test_a_missing_last_terminator_is_told() -> None:
    assert codes(text_of(*ORDER).removesuffix("~")) == ["UNTERMINATED"]


def test_a_line_break_in_place_of_a_terminator_ends_the_segment() -> None:
    assert codes(text_of(*ORDER).replace("**20261123~", "**20261123\r\n")) == ["MISSING-TERMINATOR"]


def test_a_line_break_inside_a_text_stays_in_the_text() -> None:
    text = text_of(ORDER[0], "MSG*two\nlines", *ORDER[1:])

    assert "CONTROL-CHARACTER" in codes(text)
    assert "MISSING-TERMINATOR" not in codes(text)


def test_two_interchanges_with_other_separators_stand_in_one_file() -> None:
    second = text_of(*ORDER).replace("*", "|").replace("~", "\n").replace("000000055", "000000056")

    parsed = envelope.parse((text_of(*ORDER) + second).encode())

    assert [each.separators.element for each in parsed.interchanges] == ["*", "|"]
    assert [each.isa.control for each in parsed.interchanges] == ["000000055", "000000056"]


def test_a_second_interchange_may_begin_before_the_first_has_ended() -> None:
    cut = text_of(*ORDER).split("SE*")[0]

    assert codes(cut + text_of(*ORDER).replace("000000055", "000000056")) == [
        "IEA-MISSING", "GE-MISSING", "SE-MISSING",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (HEAD.replace("          ", ""), "ISA-WIDTH"),
        (HEAD.replace("*>~", "*~"), "ISA16-MISSING"),
        (HEAD.replace("*>~", "*:~").replace("RETAILER       ", "RETAILER"), "ISA-WIDTH"),
    ],
)
def test_an_isa_out_of_shape_is_read_and_told(head: str, code: str) -> None:
    text = text_of(*ORDER).replace(HEAD, head)

    assert codes(text) == [code]
    assert envelope.parse(text.encode()).interchanges[0].isa.sender == "RETAILER"


def test_isa11_repeats_only_from_the_version_that_made_it_a_separator() -> None:
    older = text_of("BEG*00*SA*P^1**20261123").replace("*U*00401*", "*^*00401*")
    newer = older.replace("*^*00401*", "*^*00501*")

    assert envelope.parse(older.encode()).interchanges[0].separators.repetition == ""
    assert envelope.parse(newer.encode()).interchanges[0].separators.repetition == "^"


def test_a_letter_in_isa11_never_repeats() -> None:
    text = text_of(*ORDER, version="005010").replace("*U*00401*", "*U*00501*")

    assert envelope.parse(text.encode()).interchanges[0].separators.repetition == ""


@pytest.mark.parametrize(
    "data", [b"", b"ISA", b"UNB+UNOC:3+A+B", b"\xff\xfeI\0S\0A\0", b"ISA*ISA*ISA*", b"%PDF-1.7"]
)
def test_what_is_no_x12_is_refused(data: bytes) -> None:
    with pytest.raises(NotX12):
        envelope.parse(data)


@CALMLY
@given(st.sampled_from(on_the_shelf()), st.lists(st.integers(0, 40_000), max_size=12))
def test_pieces_of_any_size_read_as_the_whole(path: Path, cuts: list[int]) -> None:
    data = path.read_bytes()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]

    whole, told = tokens(data)
    read, also_told = tokens(*pieces)

    assert read == whole
    assert also_told.findings == told.findings
    assert [t.at for t in read if isinstance(t, Opening)] == [
        t.at for t in whole if isinstance(t, Opening)
    ]


def test_byte_by_byte_reads_as_the_whole() -> None:
    data = b"\xef\xbb\xbf" + text_of(*ORDER).replace("~", "~\n  ").encode()

    whole, _ = tokens(data)
    read, _ = tokens(*(data[at : at + 1] for at in range(len(data))))

    assert read == whole
