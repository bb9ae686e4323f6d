"""Every public document we may keep, and more of them where the shared folder is present."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels.edi import envelope, reading
from channels.edi.envelope import Parsed, Transaction
from channels.edi.findings import Finding
from channels.edi.segments import Unreadable
from channels.edi.validate import validate
from tests.channels.edi.shelf import DOCUMENTS, SHARED, index, on_the_shelf

#: Where we differ from the index, and why: (what it says, what we say).
EXPLAINED = {
    # ISA16 was forgotten: `~` and a line break follow ISA15. The index reads `~` as the component separator and the
    # line break as the terminator, so that every last element ends with `~`, and the trailers seem not to agree.
    "edinet__x12.850.issue135.edi": ("GE02!=GS06; IEA02!=ISA13", "clean"),
    # Three segments end with a line break instead of `$`; told apart, the count that the sender wrote is right.
    "stupidedi__004010_SH856_fail_2.edi": ("SE01=25 actual 22", "clean"),
    # An interchange that carries a TA1 needs no group.
    "oboe__justTA1TestCase.edi": ("IEA01=1 actual 0; no GE", "IEA01=1 actual 0"),
    "x12parser__Acknowledgments_TechnicalAcknowledgment_SampleFromJeffN825.txt": ("no GE", "clean"),
}
#: Read with other separators or counts than the index says, for the reasons above (the last: ISA16 is missing too).
OTHER_SEPARATORS = {
    "edinet__x12.850.issue135.edi",
    "x12parser__Acknowledgments_TechnicalAcknowledgment_SampleFromJeffN825.txt",
}
OTHER_COUNT = {"stupidedi__004010_SH856_fail_2.edi"}

WORDS = {
    "ISA-WIDTH": "ISA-not-fixed-width",
    "GE-CONTROL": "GE02!=GS06",
    "IEA-CONTROL": "IEA02!=ISA13",
    "GE-MISSING": "no GE",
}
COUNTS = {"SE-COUNT": "SE01", "GE-COUNT": "GE01", "IEA-COUNT": "IEA01"}


def in_the_words_of_the_index(findings: tuple[Finding, ...]) -> set[str]:
    said = set()
    for finding in findings:
        if finding.code in WORDS:
            said.add(WORDS[finding.code])
        elif finding.code in COUNTS:
            actual = re.findall(r"\d+", finding.message)[-1]
            said.add(f"{COUNTS[finding.code]}={finding.bad} actual {actual}")
    return said or {"clean"}


def delimiters(parsed: Parsed) -> str:
    marks = parsed.interchanges[0].separators
    segments = sum(1 + len(list(each.segments)) for each in parsed.interchanges)
    sets = len(list(parsed.transactions))
    named = (f"{name}={mark!r}" for name, mark in zip(
        ("elem", "comp", "term"), (marks.element, marks.component, marks.segment), strict=True
    ))  # fmt: skip
    return f"{' '.join(named)} segs={segments} sets={sets}"


def agree(path: Path, row: dict[str, str]) -> None:
    name = path.name.split("__", 1)[1] if path.parent == DOCUMENTS else path.name

    parsed = envelope.parse(path.read_bytes())
    said = in_the_words_of_the_index(validate(parsed))

    expected = row["envelope_findings"]
    if name in EXPLAINED:
        assert EXPLAINED[name][0] == expected, "the index changed: explain it anew"
        expected = EXPLAINED[name][1]
    assert said == set(expected.split("; "))
    if name not in OTHER_SEPARATORS | OTHER_COUNT:
        assert delimiters(parsed) == row["delimiters"]
    assert not parsed.loose


@pytest.mark.parametrize("path", on_the_shelf(), ids=lambda path: path.name)
def test_a_public_document_is_read_and_reported_as_known(path: Path) -> None:
    agree(path, index(DOCUMENTS)[path.name])


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared folder of documents is not here")
def test_every_document_of_the_shared_folder_is_read_and_reported_as_known() -> None:
    rows = index(SHARED)
    paths = [path for path in sorted(SHARED.glob("open/*/*")) if path.is_file()]

    assert len(paths) == len(rows)
    for path in paths:
        agree(path, rows[path.name])


def test_the_shelf_holds_a_document_for_every_row_of_its_index() -> None:
    assert {path.name for path in on_the_shelf()} == set(index(DOCUMENTS))
    assert len(on_the_shelf()) >= 30


@pytest.mark.parametrize("path", on_the_shelf(), ids=lambda path: path.name)
def test_a_public_document_is_read_as_business_or_says_what_it_lacks(path: Path) -> None:
    said = [
        outcome(transaction) for _, _, transaction in envelope.parse(path.read_bytes()).transactions
    ]

    assert said or path.name.startswith("TA1")
    for each in said:
        assert re.match(r"read as [A-Z]\w+|no reader for set|the set has no BEG", each)


def outcome(transaction: Transaction) -> str:
    try:
        return f"read as {type(reading.read(transaction)).__name__}"
    except Unreadable as error:
        return str(error)


def test_a_forgotten_isa16_is_told_and_the_terminator_still_found() -> None:
    path = DOCUMENTS / "850__edinet__x12.850.issue135.edi"

    parsed = envelope.parse(path.read_bytes())
    codes = [finding.code for finding in parsed.findings]

    assert codes == ["ISA16-MISSING", "MISSING-TERMINATOR"]
    assert parsed.interchanges[0].separators.segment == "~"


def test_segments_run_together_by_line_breaks_are_told_apart() -> None:
    path = DOCUMENTS / "856__stupidedi__004010_SH856_fail_2.edi"

    parsed = envelope.parse(path.read_bytes())
    ((_, _, notice),) = parsed.transactions

    assert [finding.code for finding in parsed.findings] == ["MISSING-TERMINATOR"] * 3
    assert [segment.id for segment in notice.segments[9:14]] == ["REF", "N1", "N3", "N4", "HL"]
    assert len(notice.segments) == 25
