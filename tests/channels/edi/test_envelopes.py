"""Envelopes: written, read back, judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from channels.edi import compose, envelope
from channels.edi.compose import Numbers, Route
from channels.edi.envelope import Interchange
from channels.edi.segments import (
    Composite,
    Element,
    Repeated,
    Segment,
    Separators,
    Unwritable,
    segment,
)
from channels.edi.validate import validate
from tests.channels.edi.shelf import AT, CALMLY, HEAD, ROUTE, codes, text_of

ORDER = ("BEG*00*SA*PO-1**20261123", "PO1*1*3*EA*9.25**UP*036000291452", "CTT*1")
BODY = [segment(*line.split("*")) for line in ORDER]

MARKS = st.permutations(list("*|~>:^!\x1d\x1c{}+")).map(lambda marks: marks[:4])
WORD = st.text(" AZaz09.,-/*|~>:^!{}+#@\xa0\xe9\xff", max_size=12)
ID = st.text("AZ09", min_size=2, max_size=15)
NAME = st.sampled_from(["BEG", "N1", "PO1", "REF", "HL", "TA1", "ZZ9", "MSG"])


@st.composite
def segments(draw: st.DrawFn, marks: Separators) -> Segment:
    def clean(text: str) -> str:
        return "".join(character for character in text if character not in marks.all)

    simple = WORD.map(clean)
    composite = st.lists(simple, min_size=2, max_size=4).map(lambda parts: Composite(tuple(parts)))
    element: st.SearchStrategy[Element] = st.one_of(simple, composite)
    if marks.repetition:
        repeated = st.lists(st.one_of(simple, composite), min_size=2, max_size=3)
        element = st.one_of(element, repeated.map(lambda values: Repeated(tuple(values))))
    return Segment(draw(NAME), tuple(draw(st.lists(element, max_size=6))))


@st.composite
def interchanges(draw: st.DrawFn) -> Interchange:
    element, component, repetition, terminator = draw(MARKS)
    version = draw(st.sampled_from(["004010", "005010", "004010VICS"]))
    terminator = draw(st.sampled_from([terminator, "\n", "\r", "\x85"]))
    marks = Separators(element, component, terminator, repetition if version == "005010" else "")
    route = Route(
        draw(ID), draw(ID), version=version, usage=draw(st.sampled_from("PT")), separators=marks
    )
    at = draw(st.datetimes(datetime(2000, 1, 1), datetime(2049, 12, 31)))  # noqa: DTZ001 (no zones)
    groups = [
        compose.group(route, "PO", number, at, [
            compose.transaction("850", 1 + control, draw(st.lists(segments(marks), max_size=6)))
            for control in range(draw(st.integers(0, 3)))
        ])
        for number in range(1, 1 + draw(st.integers(0, 3)))
    ]  # fmt: skip
    technical = [segment("TA1", "000000001", "261123", "0905", "A", "000")] * draw(
        st.integers(0, 2)
    )
    return compose.interchange(route, draw(st.integers(1, 999_999_999)), at, groups, technical)


@CALMLY
@given(st.lists(interchanges(), min_size=1, max_size=3), st.booleans())
def test_what_is_written_is_read_back_as_it_was(made: list[Interchange], line_breaks: bool) -> None:
    written = envelope.write(*made, line_breaks=line_breaks)

    parsed = envelope.parse(written)

    assert parsed.interchanges == tuple(made)
    assert not parsed.loose


@CALMLY
@given(interchanges())
def test_what_is_written_has_an_isa_of_106_characters_and_a_faultless_envelope(
    made: Interchange,
) -> None:
    assume(made.groups)
    written = envelope.write(made)

    findings = validate(envelope.parse(written))

    assert written[105:106].decode("latin-1") == made.separators.segment
    assert written[106:108] == (b"TA" if made.technical else b"GS")
    inside = {
        "SEGMENT-MISSING",
        "NOT-IN-SET",
        "NOT-ASCII",
    }  # random segments are no order, and some have umlauts
    assert (
        not {f.code for f in findings if f.at.segment in ("ISA", "GS", "ST", "SE", "GE", "IEA")}
        - inside
    )


def test_an_interchange_reads_like_this() -> None:
    made = compose.enclose(ROUTE, Numbers(interchange=55, group=56), AT, [("850", BODY)])

    assert envelope.write(made, line_breaks=True).decode().splitlines() == [
        "ISA*00*          *00*          *ZZ*LOCKSTEP       *12*RETAILER       *261123*0905*U*00401*000000055*0*P*:~",
        "GS*PO*LOCKSTEP*RETAILER*20261123*0905*56*X*004010~",
        "ST*850*0001~",
        "BEG*00*SA*PO-1**20261123~",
        "PO1*1*3*EA*9.25**UP*036000291452~",
        "CTT*1~",
        "SE*5*0001~",
        "GE*1*56~",
        "IEA*1*000000055~",
    ]


def test_version_5010_declares_a_repetition_separator() -> None:
    made = compose.enclose(replace(ROUTE, version="005010"), Numbers(1, 1), AT, [("850", BODY)])

    assert made.separators.repetition == "^"
    assert envelope.write(made)[82:90] == b"^*00501*"


def test_the_answer_goes_the_way_back() -> None:
    answer = replace(ROUTE, group_sender="A", group_receiver="B", wants_ta1=True).answer()

    assert (answer.sender, answer.receiver, answer.sender_qualifier) == (
        "RETAILER",
        "LOCKSTEP",
        "12",
    )
    assert (answer.group_sender, answer.group_receiver, answer.wants_ta1) == ("B", "A", False)


@pytest.mark.parametrize("bad", ["9*25", "9~25", "9:25", "9\n25", "9\x0025"])
def test_a_value_that_holds_a_separator_is_refused_by_the_name_of_its_element(bad: str) -> None:
    body = [segment("PO1", "1", "3", "EA", bad)]

    with pytest.raises(Unwritable, match="PO104"):
        envelope.write(compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", body)]))


def test_a_component_that_holds_a_separator_is_refused_by_its_name() -> None:
    body = [segment("AK4", Composite(("2", "1~1")), None, "7")]

    with pytest.raises(Unwritable, match="AK401-2"):
        envelope.write(compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", body)]))


def test_a_character_that_no_byte_can_carry_is_refused() -> None:
    with pytest.raises(Unwritable, match="N102"):
        envelope.write(
            compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", [segment("N1", "ST", "東京")])])
        )


def test_a_repetition_is_refused_where_the_version_has_none() -> None:
    body = [segment("REF", "DP", Repeated(("1", "2")))]

    with pytest.raises(Unwritable, match="REF02"):
        envelope.write(compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", body)]))


@pytest.mark.parametrize(
    "route",
    [
        replace(ROUTE, sender="SIXTEEN-LETTERS-"),
        replace(ROUTE, sender_qualifier="Z"),
        replace(ROUTE, receiver="A*B"),
        replace(ROUTE, receiver=" A"),
        replace(ROUTE, usage="PROD"),
        replace(ROUTE, separators=Separators("*", ":", "*")),
        replace(ROUTE, separators=Separators("A", ":", "~")),
        replace(ROUTE, separators=Separators("*", "", "~")),
        replace(ROUTE, separators=Separators("\n", ":", "~")),
    ],
)
def test_an_isa_that_could_not_be_read_back_is_refused(route: Route) -> None:
    with pytest.raises(Unwritable):
        envelope.write(compose.enclose(route, Numbers(1, 1), AT, [("850", BODY)]))


@pytest.mark.parametrize("number", [0, -1, 1_000_000_000])
def test_a_control_number_has_nine_digits_at_most(number: int) -> None:
    with pytest.raises(Unwritable, match="ISA13"):
        compose.enclose(ROUTE, Numbers(number, 1), AT, [("850", BODY)])


def test_sets_of_different_groups_do_not_share_one() -> None:
    with pytest.raises(Unwritable, match="one kind"):
        compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", BODY), ("855", BODY)])


def test_an_envelope_segment_inside_a_set_is_refused() -> None:
    with pytest.raises(Unwritable, match="SE"):
        envelope.write(
            compose.enclose(ROUTE, Numbers(1, 1), AT, [("850", [segment("SE", "1", "1")])])
        )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("SE*5*", "SE*6*", "SE-COUNT"),
        ("SE*5*", "SE*five*", "SE-COUNT"),
        ("SE*5*0001", "SE*5*0002", "SE-CONTROL"),
        ("SE*5*0001~", "", "SE-MISSING"),
        ("GE*1*55", "GE*2*55", "GE-COUNT"),
        ("GE*1*55", "GE*1*055", "GE-CONTROL"),
        ("GE*1*55~", "", "GE-MISSING"),
        ("IEA*1*000000055", "IEA*0*000000055", "IEA-COUNT"),
        ("IEA*1*000000055", "IEA*1*000000054", "IEA-CONTROL"),
        ("IEA*1*000000055~", "", "IEA-MISSING"),
        ("*P*>", "*X*>", "ISA-VALUE"),
        ("*261123*", "*261323*", "ISA-VALUE"),
        ("*0905*U*", "*2905*U*", "ISA-VALUE"),
        ("*ZZ*RETAILER ", "*QQ*RETAILER ", "ISA-VALUE"),
        ("X*004010", "X*005010", "GS-VERSION"),
        ("X*004010", "X*004030", "VERSION-UNKNOWN"),
        ("GS*PO*", "GS*SH*", "GROUP-KIND"),
        ("ST*850*", "ST*875*", "SET-UNKNOWN"),
        ("20261123*0905*55", "261123*0905*55", "BAD-DATE"),
        ("*0905*55", "*0960*55", "BAD-TIME"),
    ],
)
def test_one_fault_in_an_envelope_is_one_finding(old: str, new: str, code: str) -> None:
    text = text_of(*ORDER)
    assert codes(text) == []
    assert text.count(old) == 1

    told = set(codes(text.replace(old, new)))

    # A count that is no number is no number either.
    assert told - ({"BAD-CHARACTER", "TOO-SHORT"} if new == "SE*five*" else set()) == {code}


def test_an_interchange_sent_twice_is_told() -> None:
    assert codes(text_of(*ORDER) * 2) == ["ISA-DUPLICATE"]


def test_control_numbers_used_twice_inside_are_told() -> None:
    group = text_of(*ORDER).removeprefix(HEAD).split("IEA*")[0]
    transaction = "ST*850*" + group.split("ST*850*")[1].split("GE*")[0]
    twice = text_of(*ORDER).replace(group, group + group).replace("IEA*1", "IEA*2")
    doubled = text_of(*ORDER).replace(transaction, transaction * 2).replace("GE*1", "GE*2")

    assert codes(twice) == ["GS-DUPLICATE"]
    assert codes(doubled) == ["ST-DUPLICATE"]


def test_an_empty_interchange_is_told() -> None:
    assert codes(HEAD + "IEA*0*000000055~") == ["NO-CONTENT"]


def test_an_isa_whose_elements_cannot_be_counted_is_passed_over_and_told() -> None:
    text = text_of(*ORDER) + "ISA*00*broken~" + text_of(*ORDER).replace("000000055", "000000056")

    parsed = envelope.parse(text.encode())

    assert [finding.code for finding in parsed.findings] == ["BROKEN-ISA", "STRAY"]
    assert len(parsed.interchanges) == 2


def test_separators_that_occur_in_words_are_told() -> None:
    assert "SEPARATORS" in codes(text_of(*ORDER).replace("*P*>", "*P*E"))


def test_segments_outside_of_sets_are_kept_and_told() -> None:
    text = text_of(*ORDER).replace("ST*850*0001~", "REF*DP*1~ST*850*0001~")

    parsed = envelope.parse(text.encode())

    assert [loose.id for loose in parsed.loose] == ["REF"]
    assert [finding.code for finding in parsed.findings] == ["LOOSE-SEGMENT"]
