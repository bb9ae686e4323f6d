"""No bytes whatever break the codec, or take more than their length to read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.edi import acknowledge, envelope, reading
from channels.edi.segments import NotX12, Unreadable, Unwritable, X12Error
from channels.edi.validate import validate
from channels.edi.x12 import Tokenizer
from tests.channels.edi.shelf import CALMLY, HEAD, on_the_shelf, text_of

REAL = [path.read_bytes() for path in on_the_shelf()]
SMALL = [data for data in REAL if len(data) < 5_000]
MARKS = st.sampled_from(
    [b"~", b"*", b"\n", b">", b"\r", b"ISA*", b"IEA*", b"GS*", b"ST*", b"SE*", b"HL*", b"\xff", b""]
)


def whatever_comes(data: bytes) -> None:
    """All that can be asked of bytes: read, judge, answer, understand, write back."""
    try:
        parsed = envelope.parse(data)
    except NotX12:
        return
    findings = validate(parsed)
    for interchange in parsed.interchanges:
        acknowledge.technical(interchange, findings)
        for group in interchange.groups:
            if group.kind != "FA":
                acknowledge.functional(group, findings)
    for _, _, transaction in parsed.transactions:
        try:
            reading.read(transaction)
        except Unreadable:
            continue
    try:
        written = envelope.write(*parsed.interchanges)
    except Unwritable:
        return
    assert envelope.parse(written).interchanges == parsed.interchanges


@CALMLY
@given(st.binary(max_size=2_000))
def test_any_bytes(data: bytes) -> None:
    whatever_comes(data)


@CALMLY
@given(st.binary(max_size=1_000))
def test_any_bytes_after_a_good_header(data: bytes) -> None:
    whatever_comes(HEAD.encode() + data)


@CALMLY
@given(
    st.lists(
        st.sampled_from(
            [
                "ISA",
                "GS",
                "ST",
                "SE",
                "GE",
                "IEA",
                "HL",
                "PO1",
                "N1",
                "*",
                "~",
                ">",
                "\n",
                "1",
                "S",
                "O",
                "850",
                "00401",
                "AK1",
                "é",
            ]
        ),
        max_size=300,
    )
)
def test_any_words_of_x12(words: list[str]) -> None:
    whatever_comes(HEAD.encode() + "".join(words).encode("latin-1"))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A public document with a few places changed, doubled or cut."""
    data = draw(st.sampled_from(SMALL))
    for _ in range(draw(st.integers(1, 6))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 30))
        put = draw(st.one_of(MARKS, st.binary(max_size=4), st.just(data[at : at + 3 * length])))
        data = data[:at] + put + data[at + length :]
    return data


@settings(CALMLY, max_examples=400)
@given(mutated())
def test_any_change_to_a_public_document(data: bytes) -> None:
    whatever_comes(data)


@pytest.mark.parametrize("data", REAL, ids=[path.name for path in on_the_shelf()])
def test_every_beginning_of_a_public_document(data: bytes) -> None:
    for cut in range(0, len(data), max(1, len(data) // 60)):
        whatever_comes(data[:cut])


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python some work runs: a clock that does not depend on the machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def bytes_looked_at(data: bytes) -> int:
    tokenizer = Tokenizer()
    tokenizer.feed(data)
    with suppress(NotX12):
        tokenizer.close()
    return tokenizer.steps


def everything(data: bytes) -> Callable[[], object]:
    def work() -> None:
        try:
            parsed = envelope.parse(data)
            findings = validate(parsed)
            for interchange in parsed.interchanges:
                acknowledge.technical(interchange, findings)
                for group in interchange.groups:
                    acknowledge.functional(group, findings)
            for _, _, transaction in parsed.transactions:
                reading.read(transaction)
        except X12Error:
            return

    return work


LEVELS = "".join(f"HL*{n}*{n - 1}*P~" for n in range(2, 2_000))
#: name -> what is repeated behind a good header, or alone when it begins with ISA or with nothing of X12.
LONG = {
    "lines": "PO1*1*3*EA*9.25**UP*036000291452~PID*F****CUP~",
    "blanks": "   \t\r\n",
    "line breaks": "\n",
    "terminators": "~",
    "separators": "*",
    "components": ">",
    "no terminator": "PO1*1*3",
    "run together": "\nPO1*1*3*EA",
    "levels": "HL*1*1*P~",
    "headers": HEAD,
    "half headers": "ISA*",
    "ends": "SE*1*0001~GE*1*1~IEA*1*000000001~",
    "loops closed and opened": "N1*ST*A~REF*DP*1~PO1*1*1*EA~",
    "faulty sets": "ST*850*0002~PO1*1*x*EA~SE*9*0003~",
    "faulty groups": "GS*PO*A*B*20261123*0905*56*X*004010~ST*850*0002~PO1*1*x*EA~",
    "other marks": HEAD.replace("~", "!") + HEAD,
}


@pytest.mark.parametrize("repeated", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("set_id", ["850", "856"])
def test_ten_times_the_bytes_take_ten_times_the_steps(repeated: str, set_id: str) -> None:
    """Thirteen at most: the look ahead for an ISA is cut short at the end, which a short text feels more."""
    head = HEAD + f"GS*PO*A*B*20261123*0905*55*X*004010~ST*{set_id}*0001~"
    once = (head + repeated * (3_000 // len(repeated))).encode()
    tenfold = (head + repeated * (30_000 // len(repeated))).encode()

    assert bytes_looked_at(tenfold) <= 13 * bytes_looked_at(once) + 5_000
    assert lines_run(everything(tenfold)) <= 13 * lines_run(everything(once)) + 5_000


def test_bytes_that_come_one_by_one_are_each_looked_at_a_few_times() -> None:
    data = text_of(*(["PO1*1*3*EA*9.25**UP*036000291452"] * 200)).encode()
    tokenizer = Tokenizer()

    for at in range(len(data)):
        tokenizer.feed(data[at : at + 1])
    tokenizer.close()

    assert tokenizer.steps <= 12 * len(data)


def test_a_chain_of_thousands_of_levels_is_read() -> None:
    notice = text_of(
        "BSN*00*1*20261123*0905", "HL*1**S", LEVELS.removesuffix("~"), set_id="856", group="SH"
    )

    whatever_comes(notice.encode())
