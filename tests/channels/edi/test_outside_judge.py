"""Another implementation reads our envelopes, where it is installed: a mistake of ours on both sides would agree."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from channels.edi import compose, envelope
from channels.edi.compose import Numbers
from channels.edi.segments import segment
from tests.channels.edi.shelf import AT, ROUTE

BODY = [segment("BEG", "00", "SA", "PO-1", None, "20261123"), segment("PO1", "1", "3", "EA")]


@pytest.mark.parametrize("version", ["004010", "005010"])
def test_pyx12_reads_our_envelopes_without_an_error(version: str) -> None:
    x12file = pytest.importorskip(
        "pyx12.x12file", reason="pyx12, the outside judge, is not installed"
    )
    made = compose.enclose(
        replace(ROUTE, version=version), Numbers(55, 56), AT, [("850", BODY), ("850", BODY)]
    )
    text = envelope.write(made, line_breaks=True).decode("ascii")

    reader = x12file.X12Reader(io.StringIO(text))
    read = [segment.get_seg_id() for segment in reader]

    assert read == [
        "ISA", "GS", "ST", "BEG", "PO1", "SE", "ST", "BEG", "PO1", "SE", "GE", "IEA",
    ]  # fmt: skip
    assert reader.pop_errors() == []
