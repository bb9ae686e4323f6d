"""PostgreSQL is killed while it takes deliveries: every one that was answered with 2xx is in the book, once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.journeys.estate import Estate, an_estate, receipt, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.battery, pytest.mark.timeout(180)]

EVENTS, BATCH, KILLS = 6000, 20, 3


@pytest.fixture
def estate(scratch: Path) -> Iterator[Estate]:
    with an_estate("shop", durable=True, home=scratch / "home") as estate:
        yield estate


def _has(answers: Sequence[int], enough: int) -> bool:
    return len(answers) >= enough


def test_what_was_answered_survives_a_killed_database(estate: Estate) -> None:
    facts = [receipt(estate.skus[n % len(estate.skus)], 1, n) for n in range(EVENTS)]
    batches = [facts[begin : begin + BATCH] for begin in range(0, EVENTS, BATCH)]
    answers: list[int] = []

    def post() -> None:
        for batch in batches:
            answers.append(estate.post(batch))

    posting = threading.Thread(target=post)
    posting.start()
    for kill in range(1, KILLS + 1):
        enough = kill * len(batches) // (KILLS + 2)
        wait_for(partial(_has, answers, enough), 60)
        estate.stack.supervisor.kill("postgres")
        estate.stack.supervisor.wait_ready("postgres", limit_s=60)
    posting.join()

    answered = [batch for batch, answer in zip(batches, answers, strict=True) if answer == 200]
    refused = [batch for batch, answer in zip(batches, answers, strict=True) if answer != 200]
    assert set(answers) == {200, 503}
    kept = {row[0] for row in estate.rows("SELECT delivery_id FROM inbox WHERE source = 'wms'")}
    assert {fact["id"] for batch in answered for fact in batch} <= kept

    # The sender comes again with what was refused, as a sender does; a commit whose answer was lost is a repeat.
    assert {estate.post(batch) for batch in refused} <= {200}
    estate.settles(60)
    booked = Counter(dict.fromkeys(estate.skus, 500)) + Counter(fact["sku"] for fact in facts)
    assert estate.available() == booked
    assert estate.one("SELECT count(*) FROM event WHERE kind = 'receipt'") == EVENTS
    assert estate.book_is_whole()
