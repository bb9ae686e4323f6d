"""Steps of cases in PostgreSQL: written with the choice, held by one worker at a time, settled once.

A claim leases a step; a worker that dies leaves the lease to run out, and the next one tries under the same key, which
makes a second try harmless at the other end. The number of the attempt is the fence: who was too slow settles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from ledger import failures
from ledger.types import Failure, FailureClass, Origin
from reconcile.oversold.types import (
    ByHand,
    Case,
    Claim,
    Did,
    Failed,
    Kind,
    Later,
    Outcome,
    Step,
)

#: A worker that is silent for so long has died; a call takes a minute at most.
LEASE_S: Final = 120.0
#: After so many tries without an answer a person is asked.
TRIES: Final = 8
_FIRST_WAIT_S: Final = 2.0
_LONGEST_WAIT_S: Final = 300.0

_ADD = text("""
    INSERT INTO case_step (case_id, position, kind, response, key, state, run_at, todo)
    SELECT :case, coalesce((SELECT max(position) FROM case_step WHERE case_id = :case), 0) + given.place, given.kind,
           :response, given.key, CASE WHEN given.todo = '' THEN 'due' ELSE 'by_hand' END, :run_at, given.todo
    FROM unnest(CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:todos AS text[])) WITH ORDINALITY
         AS given (kind, key, todo, place)
    WHERE NOT EXISTS (SELECT FROM case_step AS s WHERE s.key = given.key)
    ORDER BY given.place
""")

# Chosen again: what was dropped and is part of the new response is due again, or a person's again.
_WAKE = text("""
    UPDATE case_step
    SET state = CASE WHEN begun_at IS NULL AND todo <> '' THEN 'by_hand' ELSE 'due' END, run_at = :run_at, tries = 0,
        todo = CASE WHEN begun_at IS NULL THEN todo ELSE '' END, response = :response
    WHERE case_id = :case AND key = ANY(CAST(:keys AS text[])) AND state = 'dropped'
""")

_DROP = text("""
    UPDATE case_step SET state = 'dropped', leased_until = NULL
    WHERE case_id = :case AND kind <> 'release'
          AND (state = 'failed' OR state = 'by_hand' AND CAST(:by_hand AS boolean)
               OR state = 'due' AND (leased_until IS NULL OR leased_until <= :now))
      AND key <> ALL(CAST(:but AS text[]))
""")

_CLAIMED = """
    id, channel, order_id, line_id, sku, location, units, accepted_at, found_at, found_by, cause, evidence, worth,
    c.state, c.response, chosen_at, chosen_by, chosen_why, cost, covered_at, closed_at, closed_by, c.result, times
"""
# What is held is let go only after whoever holds it has answered, or is known to be dead.
_CLAIM = text(f"""
    WITH next AS (
        SELECT s.case_id, s.position FROM case_step AS s JOIN oversold_case AS c ON c.id = s.case_id
        WHERE s.state = 'due' AND s.run_at <= :now AND (s.leased_until IS NULL OR s.leased_until <= :now)
          AND s.kind = ANY(CAST(:kinds AS text[])) AND (CAST(:channel AS text) IS NULL OR c.channel = :channel)
          AND (CAST(:case AS bigint) IS NULL OR c.id = :case)
          AND (s.kind <> 'release' OR NOT EXISTS (
                SELECT FROM case_step AS h
                WHERE h.case_id = s.case_id AND h.kind = 'hold' AND h.leased_until > :now))
        ORDER BY s.run_at, s.case_id, s.position
        LIMIT 1 FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE case_step AS s
    SET leased_until = :until, attempts = s.attempts + 1, begun_at = coalesce(s.begun_at, :now)
    FROM next JOIN oversold_case AS c ON c.id = next.case_id
    WHERE s.case_id = next.case_id AND s.position = next.position
    RETURNING {_CLAIMED}, s.position, s.kind, s.response AS step_response, s.key, s.attempts, s.tries
""")  # noqa: S608 -- constant

_SETTLE = text("""
    UPDATE case_step
    SET state = :state, leased_until = NULL, run_at = :run_at, tries = :tries, result = :result,
        content = :content, error = :error, todo = :todo,
        done_at = CASE WHEN :state = 'done' THEN CAST(:now AS timestamptz) END
    WHERE case_id = :case AND position = :position AND attempts = :attempt AND state = 'due'
    RETURNING true
""")

_RETRY = text("""
    UPDATE case_step SET state = 'due', run_at = :now, tries = 0, error = '', todo = ''
    WHERE case_id = :case AND state = 'failed'
""")

_NOW = text(
    "UPDATE case_step SET run_at = :now WHERE case_id = :case AND state = 'due' AND run_at > :now"
)

_OF = text("""
    SELECT case_id, position, kind, response, key, state, run_at, leased_until, attempts, begun_at, done_at, result,
           content, error, todo
    FROM case_step WHERE case_id = ANY(CAST(:cases AS bigint[])) ORDER BY case_id, position
""")

_HELD = text("""
    SELECT EXISTS (SELECT FROM case_step WHERE key = :hold_key AND begun_at IS NOT NULL AND state <> 'by_hand')
       AND NOT EXISTS (SELECT FROM case_step WHERE key = :release_key AND state = 'done')
""")

_DUE = text("""
    SELECT DISTINCT c.channel, s.kind FROM case_step AS s JOIN oversold_case AS c ON c.id = s.case_id
    WHERE s.state = 'due' AND s.run_at <= :now AND (s.leased_until IS NULL OR s.leased_until <= :now)
    ORDER BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class Stood:
    """A step as it stands."""

    case_id: int
    position: int
    kind: str
    response: str
    key: str
    state: str
    run_at: datetime
    leased_until: datetime | None
    attempts: int
    begun_at: datetime | None
    done_at: datetime | None
    result: str
    content: str
    error: str
    todo: str


def add(
    connection: Connection, case_id: int, response: str, steps: Sequence[Step], run_at: datetime
) -> None:
    """Write down what is to be done; a step that is there already stays as it is, one that was dropped is due again."""
    keys = [step.key for step in steps]
    values = {"case": case_id, "response": response, "run_at": run_at, "keys": keys}
    connection.execute(_WAKE, values)
    kinds, todos = [step.kind.value for step in steps], [step.todo for step in steps]
    connection.execute(_ADD, values | {"kinds": kinds, "todos": todos})


def drop(
    connection: Connection,
    case_id: int,
    now: datetime,
    *,
    but: Iterable[str] = (),
    by_hand: bool = False,
) -> None:
    """Leave undone what nobody works on just now, but for these keys; with `by_hand`, what a person has to do, too."""
    values = {"case": case_id, "now": now, "but": list(but), "by_hand": by_hand}
    connection.execute(_DROP, values)


def claim(
    connection: Connection,
    kinds: Iterable[Kind],
    now: datetime,
    *,
    channel: str | None = None,
    case_id: int | None = None,
) -> Claim | None:
    """Take the next step of these kinds; nobody else gets it for `LEASE_S`."""
    values = {
        "kinds": [kind.value for kind in kinds],
        "channel": channel,
        "case": case_id,
        "now": now,
        "until": now + timedelta(seconds=LEASE_S),
    }
    row = connection.execute(_CLAIM, values).one_or_none()
    if row is None:
        return None
    *of_case, position, kind, response, key, attempt, tries = row
    return Claim(Case(*of_case), position, Kind(kind), response, key, attempt, tries)


def settle(connection: Connection, claim_: Claim, outcome: Outcome, now: datetime) -> bool:
    """Write down what became of a step; False when somebody else has it by now, and nothing was written."""
    values = _settled(claim_, outcome, now)
    if connection.execute(_SETTLE, values).one_or_none() is None:
        return False
    if values["state"] == "failed" and isinstance(outcome, Failed):
        failures.note(connection, [_failed(claim_, outcome)], now)
    return True


def _failed(claim_: Claim, outcome: Failed) -> Failure:
    case = claim_.case
    kind = FailureClass.REJECTED if outcome.for_good else FailureClass.UNAVAILABLE
    return Failure(
        Origin.CASE,
        f"{case.id}/{claim_.position}",
        kind,
        f"{outcome.why}; {outcome.todo}",
        channel=case.channel,
        sku=case.sku,
        location=case.location,
        order=case.order_id,
        task="workers.case_tasks.act_on_cases",
        payload={"case": case.id, "step": claim_.kind, "key": claim_.key, "line": case.line_id},
        attempts=claim_.tries + 1,
    )


def _settled(claim_: Claim, outcome: Outcome, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {
        "case": claim_.case.id,
        "position": claim_.position,
        "attempt": claim_.attempt,
        "tries": claim_.tries,
        "now": now,
        "run_at": now,
        "state": "done",
        "result": "",
        "content": "",
        "error": "",
        "todo": "",
    }
    match outcome:
        case Did(result=result, content=content):
            return values | {"result": result, "content": content}
        case ByHand(todo=todo):
            return values | {"state": "by_hand", "todo": todo}
        case Later(after_s=after_s, why=why):
            at = now + timedelta(seconds=after_s)
            return values | {"state": "due", "run_at": at, "error": why[:1000]}
        case Failed(why=why, todo=todo, for_good=for_good):
            tried = values | {"tries": claim_.tries + 1, "error": why[:1000]}
            if for_good or claim_.tries + 1 >= TRIES:
                return tried | {"state": "failed", "todo": todo}
            wait_s = min(_FIRST_WAIT_S * 2**claim_.tries, _LONGEST_WAIT_S)
            return tried | {"run_at": now + timedelta(seconds=wait_s), "state": "due"}


def try_again(connection: Connection, case_id: int, now: datetime) -> None:
    """Let what failed, and what waits, be tried at once."""
    connection.execute(_RETRY, {"case": case_id, "now": now})
    connection.execute(_NOW, {"case": case_id, "now": now})


def of(connection: Connection, cases: Iterable[int]) -> list[Stood]:
    """The steps of these cases, in order."""
    return [Stood(*row) for row in connection.execute(_OF, {"cases": sorted(cases)})]


def is_held(connection: Connection, hold_key: str, release_key: str) -> bool:
    """Whether something may be held at the channel under a key."""
    values = {"hold_key": hold_key, "release_key": release_key}
    return bool(connection.execute(_HELD, values).scalar_one())


def due(connection: Connection, now: datetime) -> list[tuple[str, Kind]]:
    """(channel, kind) of what can be done now."""
    return [(row.channel, Kind(row.kind)) for row in connection.execute(_DUE, {"now": now})]
