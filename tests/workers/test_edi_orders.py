"""850 and 860: what a partner is promised is what the book commits, in one transaction with the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.edi.documents import ChangeAnswer, OrderAnswer
from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def answers(found: list[object]) -> list[tuple[str, list[list[tuple[str, int]]]]]:
    """(BAK02, [[(ACK01, ACK02)] of each line]) of every 855 and 865."""
    return [
        (
            each.kind,
            [
                [(a.status, int(a.quantity or 0)) for a in answered.answers]
                for answered in each.lines
            ],
        )
        for each in found
        if isinstance(each, OrderAnswer | ChangeAnswer)
    ]


def held(grocer: Grocer, sku: str = "MUG") -> dict[str, int]:
    return balance(grocer.engine, sku, "WH")


def test_an_order_that_can_be_served_is_accepted_and_committed_at_once(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4), line(2, 3)))

    found = grocer.run()

    assert answers(found) == [("AD", [[("IA", 4)], [("IA", 3)]])]
    assert held(grocer) == {"available": 3, "committed": 7}
    assert grocer.documents() == [("850", "applied", "none")]
    assert sorted(grocer.documents("out")) == [
        ("855", "posted", "waiting"),
        ("997", "posted", "none"),
    ]
