"""Documents, and posts of alerts, that failed: done again under their own rules, and what is unsafe is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from ledger.db import transaction
from tests.builders import NOON
from tests.servers import Clock, Database
from tests.workers.edi_rig import a_grocer, line, po
from tests.workers.failed_rig import failed, mend, retry, the_one
from workers.alerts import outbox
from workers.failures.replaying import refusal
from workers.failures.types import Alike
from workers.flows import edi_exchange


def test_a_document_that_waits_for_a_mapping_is_worked_again_once(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, unknown_items="hold")
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4, item="99")))
    grocer.run()
    row = the_one(database.engine, origin="edi")
    assert (row.kind, row.channel, row.order_id) == ("mapping", "grocer", "PO1")

    in_vain = retry(grocer.house, clock.now, channel="grocer")
    assert (in_vain.failed, the_one(database.engine).count) == (1, 2)
    with grocer.engine.begin() as connection:
        connection.execute(text("UPDATE binding SET variant_id = '99' WHERE sku = 'MUG'"))
    done = retry(grocer.house, clock.now, channel="grocer")

    assert (done.done, done.refused) == (1, 0)
    assert mend(database.engine, clock.now) == 1
    assert grocer.rows("SELECT count(*) FROM event WHERE kind = 'order'") == [(1,)]


def test_what_was_never_acknowledged_is_sent_again_under_new_control_numbers(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 4)))
    grocer.run()
    clock.advance(timedelta(hours=24).total_seconds())
    edi_exchange.find_overdue(grocer.engine, now=clock.now)
    assert the_one(database.engine, origin="edi").kind == "unavailable"

    done = retry(grocer.house, clock.now, origin="edi")
    mend(database.engine, clock.now)

    assert done.done == 1
    controls = grocer.rows(
        "SELECT DISTINCT group_control FROM edi_document WHERE set_id = '855' ORDER BY 1"
    )
    assert len(controls) == 2
    assert {row.state for row in failed(database.engine)} == {"resolved"}


def test_a_file_that_is_no_document_is_refused(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.drop(b"no document at all", "x.txt")
    grocer.visit()

    done = retry(grocer.house, clock.now, channel="grocer")

    assert (done.done, done.refused) == (0, 1)
    assert "must send it again" in next(iter(done.why))
    assert the_one(database.engine).state == "open"


def test_what_a_partner_refused_or_was_told_is_refused_is_not_sent_again() -> None:
    for unsafe in (
        Alike("edi", direction="out", edi_state="rejected", edi_set="855"),
        Alike("edi", direction="in", edi_state="rejected", edi_set="850"),
        Alike("edi", direction="out", edi_state="overdue", edi_set="846"),
        Alike("task", task="workers.tasks.receive"),
    ):
        assert refusal(unsafe)
    assert not refusal(Alike("edi", direction="out", edi_state="overdue", edi_set="856"))


def test_a_post_that_was_never_declined_is_not_told_again(database: Database) -> None:
    with transaction(database.engine) as connection:
        assert outbox.tell_again(connection, [(1, "slack", "root")], NOON) == 0
