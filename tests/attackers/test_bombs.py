"""Files and documents made to be large: read in a time that grows with their bytes, and never in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.edi import envelope
from channels.edi.segments import NotX12
from channels.edi.validate import validate
from tests.channels.edi.shelf import HEAD, text_of
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=10)
    return grocer


BOMBS = {
    "50 MB of one segment": HEAD.encode() + b"A" * 50_000_000,
    "50 MB of nothing": b"\x00" * 50_000_000,
    "50 MB of ends": HEAD.encode() + b"~" * 50_000_000,
    "50 MB of ends on lines": HEAD.encode() + b"~\r\n" * 16_000_000,
    "headers without end": HEAD.encode() * 2_000,
    "groups without end": HEAD.encode() + b"GS*PO*A*B*20261123*0905*1*X*004010~" * 20_000,
    "elements without end": HEAD.encode() + b"GS*" + b"*" * 1_000_000 + b"~",
    "repeated parts": HEAD.encode() + b"GS" + b"*A>B>C" * 100_000 + b"~",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_of_a_partner_is_set_aside_and_the_next_order_is_taken(
    grocer: Grocer, bomb: str
) -> None:
    grocer.drop(BOMBS[bomb], "0-bomb.x12")
    grocer.send(po(line(1, 4)))

    grocer.run()

    assert list((grocer.path / "inbound").iterdir()) == []
    with grocer.engine.connect() as connection:
        orders = connection.exec_driver_sql(
            "SELECT count(*) FROM event WHERE kind = 'order'"
        ).scalar_one()
    assert orders == 1


def test_ten_thousand_segments_that_no_trailer_ends_are_read_and_told(grocer: Grocer) -> None:
    endless = (
        text_of(*["PO1*1*1*EA*1**VN*11"] * 10_000).replace("SE*", "XX*").replace("IEA*", "YY*")
    )

    found = validate(envelope.parse(endless.encode()))

    assert any(finding.is_error for finding in found)


@pytest.mark.parametrize(
    "control", ["0", "-1", "999999999999", "ABC", "", "000000000", "1E9", "\u0661"]
)
def test_a_control_number_that_is_none_stops_nobody(grocer: Grocer, control: str) -> None:
    data = grocer.send(po(line(1, 4)))
    for file in (grocer.path / "inbound").iterdir():
        file.unlink()
    grocer.drop(data.replace(b"000000001", control.encode(), 1), "1.x12")
    grocer.send(po(line(1, 3), number="PO2"))

    grocer.run()

    assert list((grocer.path / "inbound").iterdir()) == []
    with grocer.engine.connect() as connection:
        references = (
            connection.exec_driver_sql("SELECT order_id FROM event WHERE kind = 'order'")
            .scalars()
            .all()
        )
    assert any("PO2" in reference for reference in references)


def test_what_is_not_x12_is_told_at_once() -> None:
    with pytest.raises(NotX12):
        envelope.parse(b"\x00" * 10_000_000)
