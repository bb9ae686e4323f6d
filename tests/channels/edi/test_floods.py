"""Files that are large, or nothing but faults: what is said of them stays small, and no fault hides another's."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from channels.edi import acknowledge, envelope
from channels.edi.envelope import Interchange
from channels.edi.findings import MOST
from channels.edi.segments import NotX12, Unwritable
from channels.edi.validate import validate
from tests.channels.edi.shelf import HEAD, on_the_shelf, text_of

FAULTY = "PO1*1*three*EA*9.25**UP*036000291453"


def counted(data: bytes) -> Counter[str]:
    return Counter(finding.code for finding in validate(envelope.parse(data)))


@pytest.mark.parametrize(
    ("repeated", "code"),
    [
        ("~", "EMPTY-SEGMENT"),
        ("ISA*", "BROKEN-ISA"),
        ("PO1*1*1*EA~", "LOOSE-SEGMENT"),
        ("?~", "SEGMENT-ID"),
        ("\nPO1*1*3*EA", "MISSING-TERMINATOR"),
    ],
)
def test_what_is_wrong_a_thousand_times_is_told_a_thousand_times_and_once_more(
    repeated: str, code: str
) -> None:
    said = counted((HEAD + repeated * 3_000).encode())

    assert said[code] == MOST
    assert said["MORE"] >= 1
    assert said.total() < 5 * MOST


def test_a_set_full_of_faults_does_not_spare_the_next_one() -> None:
    first = text_of("BEG*00*SA*1**20261123", *([FAULTY] * 2_000))
    body = f"ST*850*0002~BEG*00*SA*2**20261123~{FAULTY}~SE*4*0002~GE*2*55~IEA"
    data = first.replace("GE*1*55~IEA", body).encode()

    parsed = envelope.parse(data)
    findings = validate(parsed)
    (group,) = parsed.interchanges[0].groups
    ack = acknowledge.functional(group, findings)

    assert Counter(one.code for one in findings)["BAD-CHARACTER"] == MOST + 1
    assert [answer.status for answer in ack.sets] == ["R", "R"]


def test_dirt_in_one_set_does_not_hide_that_of_the_next() -> None:
    dirty = "?*1~" * (MOST + 5)
    sets = "".join(f"ST*850*{n:04}~BEG*00*SA*{n}**20261123~{dirty}SE*9*{n:04}~" for n in (1, 2))
    data = f"{HEAD}GS*PO*A*B*20261123*0905*55*X*004010~{sets}GE*2*55~IEA*1*000000055~".encode()

    assert counted(data)["SEGMENT-ID"] == 2 * MOST


def test_megabytes_of_no_x12_are_refused() -> None:
    noise = random.Random(1).randbytes(3_000_000).replace(b"ISA", b"")
    for data in (noise, bytes(10_000_000), b"ISA" * 300_000, b"\xef\xbb\xbf" * 100_000):
        with pytest.raises(NotX12):
            envelope.parse(data)


def test_noise_before_and_behind_a_document_does_not_hide_it() -> None:
    dice = random.Random(2)
    order = text_of("BEG*00*SA*1**20261123").encode()
    noise = [dice.randbytes(200_000).replace(b"ISA", b"") for _ in range(3)]
    data = noise[0] + order + noise[1] + order.replace(b"~", b"!") + noise[2]

    parsed = envelope.parse(data)

    assert [each.isa.control for each in parsed.interchanges] == ["000000055"] * 2
    assert [len(list(each.segments)) for each in parsed.interchanges] == [6, 6]


OTHER = ("\n", "\r", "|", "}", "^", "!", "$", "\x85", "\x1c", "\x1d", "'", "\x00", "\xff")


@pytest.mark.parametrize("path", on_the_shelf(), ids=lambda path: path.name)
def test_a_public_document_says_the_same_with_any_other_separators(path: Path) -> None:
    dice = random.Random(str(path))
    for known in envelope.parse(path.read_bytes()).interchanges:
        for _ in range(6):
            element, component, segment = dice.sample(OTHER, 3)
            marks = replace(known.separators, element=element, component=component, segment=segment)
            changed: Interchange = replace(known, separators=marks)
            try:
                data = envelope.write(changed)
            except Unwritable:
                continue  # a value holds one of them
            (read,) = envelope.parse(data).interchanges
            assert (read.groups, read.isa) == (known.groups, known.isa)
