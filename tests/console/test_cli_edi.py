"""The commands of trading with wholesale partners, on a real folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path, company_prefix="0614141")
    grocer.stock(MUG=10)
    return grocer


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    return surroundings(database)


def edi(environment: dict[str, str], *command: str) -> Said:
    return lockstep("edi", *command, environment=environment)


def quiet(grocer: Grocer) -> None:
    """The files have lain in the folder for a while, so that they count as whole."""
    for file in (grocer.path / "inbound").iterdir():
        os.utime(file, (1, 1))


def test_a_visit_takes_works_and_sends(grocer: Grocer, environment: dict[str, str]) -> None:
    grocer.send(po(line(1, 4)))
    quiet(grocer)

    said = edi(environment, "exchange", "grocer", "--json")

    assert said.code == 0, said.err
    assert (said.read["kept"], said.read["worked"], said.read["sent"]) == (1, 1, 2)
    assert len(grocer.files()) == 2


def test_a_partner_that_does_not_exist_is_a_sentence(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    said = edi(environment, "exchange", "nobody")

    assert said.code == 1
    assert "no channel 'nobody' of kind edi" in said.err


def test_the_status_says_what_needs_somebody_by_its_exit_code(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    calm = edi(environment, "status", "--json")
    grocer.send(po(line(1, 5)))
    grocer.drop(b"rubbish", "rubbish.txt")
    grocer.run()

    troubled = edi(environment, "status", "--json")

    assert (calm.code, troubled.code) == (0, 3)
    (partner,) = troubled.read["partners"]
    assert (partner["parked"], partner["refused"], partner["waiting"]) == (1, 1, 1)
    assert "came again with another content" in troubled.read["trouble"][0]["error"]
    assert troubled.read["refused"][0]["file"] == "rubbish.txt"
    assert "rubbish.txt refused" in edi(environment, "status").out


def test_a_document_that_somebody_has_seen_to_leaves_the_list(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    grocer.send(po(line(1, 4)))
    grocer.send(po(line(1, 5)))
    grocer.run()
    (document,) = edi(environment, "documents", "--trouble", "--json").read

    done = edi(environment, "dismiss", str(document["id"]), "--reason", "the buyer called")

    assert done.code == 0, done.err
    assert edi(environment, "documents", "--trouble", "--json").read == []
    assert edi(environment, "dismiss", str(document["id"]), "--reason", "again").code == 5
    assert grocer.rows("SELECT action, reason FROM audit") == [("edi.dismiss", "the buyer called")]
    assert edi(environment, "retry", str(document["id"])).code == 5


def test_a_ship_notice_is_sent_or_refused_with_the_sums(
    grocer: Grocer, environment: dict[str, str], tmp_path: Path
) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.ship("PO1", "1", 3)
    packing = tmp_path / "packing.csv"
    packing.write_text("carton,line,quantity\nA,1,4\n")

    refused = edi(environment, "ship", "grocer", "PO1", "--cartons", str(packing))
    packing.write_text("carton,line,quantity\nA,1,2\nB,1,1\n")
    done = edi(environment, "ship", "grocer", "PO1", "--cartons", str(packing), "--json")

    assert refused.code == 5
    assert "line 1: 4 EA are packed, 3 have gone and were not told" in refused.err
    assert done.code == 0, done.err
    assert sorted(done.read["cartons"]) == ["A", "B"]
    resent = edi(environment, "resend", str(done.read["document"]))
    assert resent.code == 0, resent.err
    assert edi(environment, "resend", str(done.read["document"])).code == 5
    documents = edi(environment, "documents", "--order", "PO1", "--json").read
    assert [each["set_id"] for each in documents] == ["856", "856", "855", "850"]


def test_lines_to_ship_are_given_as_line_and_quantity(
    grocer: Grocer, environment: dict[str, str]
) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    grocer.ship("PO1", "1", 3)

    assert edi(environment, "ship", "grocer", "PO1", "--lines", "1").code == 2
    assert edi(environment, "ship", "grocer", "PO1", "--lines", "1=2").code == 5
    assert edi(environment, "ship", "grocer", "PO1", "--weight", "heavy").code == 2
    done = edi(environment, "ship", "grocer", "PO1", "--lines", "1=3", "--json")
    assert done.read["told"] == [["1", "", 3]]
