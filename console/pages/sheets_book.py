"""Forms about the book and what it is told: rules, cases, counts, stock, supply, seals, tokens."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from pydantic import Field as Said
from pydantic import model_validator
from sqlalchemy import Connection

from allocation.plays import Response
from console.access import secrets
from console.access.types import Role
from console.api.state import Act
from console.api.words import (
    CaseChoice,
    CaseClose,
    CountSheet,
    Id,
    Name,
    RulesApply,
    RulesBack,
    TokenCreate,
)
from console.api.words import Said as Words
from console.api.words_acts import (
    Adjust,
    CountOrder,
    EmptyShelf,
    Expect,
    Key,
    LocationsAdd,
    Reverse,
    SkusAdd,
)
from console.pages.sheets import WHY, Came, Field, Form, Sheet
from console.verbs import book, cases, counts, ledger, rules, tokens
from console.views import rules as rules_view
from reconcile.counting.file import REASONS, read
from workers.flows.count_sheets import name_of

_MOST_CHANGES: Final = 200


class Numbered(Words):
    """A case by its number."""

    number: Id


class Chosen(CaseChoice, Numbered):
    """What is done about a case."""


class Closed(CaseClose, Numbered):
    """A case that is over."""


class Adjusted(Adjust):
    """The form makes the id, so that a form that is sent twice counts once."""

    id: Key = Said(default_factory=lambda: str(uuid4()))


class Expected(Expect):
    """The same."""

    id: Key = Said(default_factory=lambda: str(uuid4()))


class Picked(EmptyShelf):
    """The same."""

    id: Key = Said(default_factory=lambda: str(uuid4()))


class Worth(Words):
    """CSV: sku, cost, price."""

    rows: str = Said(max_length=900_000)


class TokenNamed(Words):
    """A token by its name."""

    name: Name


class Applied(RulesApply):
    """Rules as they are written in a form: browsers send other ends of lines."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, said: Any) -> Any:
        return said | {"source": str(said.get("source", "")).replace("\r\n", "\n")}


def _apply(act: Act, said: Applied) -> Came:
    checked = rules.read(said.source, "the rules")
    rows: list[dict[str, Any]] = []
    if act.dry_run:
        plan = rules_view.plan(act.engine, checked, act.now(), limit=_MOST_CHANGES)
        rows = plan["changes"]
        changed = len(rows) + plan["left_off"]
    with act.doing({"expect_version": said.expect_version, "bytes": len(said.source)}, said.reason):
        done = rules.apply(
            act.engine, said.source, checked, by=act.by, reason=said.reason, now=act.now(),
            expected=said.expect_version,
        )  # fmt: skip
    if act.dry_run:
        of = f", the first {len(rows)} below" if changed > len(rows) else ""
        return Came(f"{changed} numbers of {plan['skus']} SKUs change{of}", rows)
    return Came(f"version {done.version} is in force; every SKU is being computed again")


def _rules_now(connection: Connection, form: Form) -> dict[str, str]:
    """The version that the address names, to be changed against the one in force."""
    number = form.get("from", "")
    if not number.isdecimal() or len(number) > 18:
        return {}
    found = rules_view.version(connection, int(number))
    in_force = rules_view.newest(connection)
    return {"source": found["source"], "expect_version": str(in_force)}


def _rollback(act: Act, said: RulesBack) -> Came:
    rows: list[dict[str, Any]] = []
    if act.dry_run:
        _, checked = rules.stored(act.engine, said.version)
        rows = rules_view.plan(act.engine, checked, act.now(), limit=_MOST_CHANGES)["changes"]
    with act.doing(said.arguments(), said.reason):
        done = rules.rollback(
            act.engine, said.version, by=act.by, reason=said.reason, now=act.now()
        )
    return Came(f"version {done.version} is in force, equal to version {said.version}", rows)


def _choose(act: Act, said: Chosen) -> Came:
    with act.doing({"number": said.number, "response": said.response.value}, said.reason):
        done = cases.choose(
            act.house.wiring, said.number, said.response, by=act.by, reason=said.reason,
            now=act.now(),
        )  # fmt: skip
    steps = ", ".join(step["kind"] for step in done["steps"])
    return Came(f"case {said.number}: {said.response.value}; workers do {steps or 'nothing'}")


def _run(act: Act, said: Numbered) -> Came:
    with act.doing({"number": said.number}):
        done = cases.again(act.engine, said.number, by=act.by, now=act.now())
    due = sum(step["state"] == "due" for step in done["steps"])
    return Came(f"case {said.number}: {due} steps are due; workers do them within seconds")


def _close(act: Act, said: Closed) -> Came:
    with act.doing({"number": said.number, "keep_hold": said.keep_hold}, said.reason):
        done = cases.close(
            act.engine, said.number, keep_hold=said.keep_hold, by=act.by, reason=said.reason,
            now=act.now(),
        )  # fmt: skip
    later = " as soon as its order is let go" if done["lets_go"] else ""
    return Came(f"case {said.number} is closed{later}")


def _submit(act: Act, said: CountSheet) -> Came:
    text = said.sheet.replace("\r\n", "\n")
    name = name_of(text.encode(), said.at)
    with act.doing({"file": f"sheet {name}", "at": said.at, "location": said.location}):
        done = counts.submit(
            act.house.wiring.house, act.house.settings, read(text, said.location), name, said.at,
            by=act.by, reason=said.reason_code, now=act.now,
        )  # fmt: skip
    names = ("line", "sku", "location", "counted", "book", "variance", "verdict", "state", "error")
    rows = [{each: line[each] for each in names} for line in done["counts"]]
    out = done["lines"] - done["within"]
    again = "; it was booked before and is not booked again" if done["repeated"] else ""
    return Came(
        f"{done['lines']} lines, {out} out of tolerance, {done['units']:+} units{again}", rows
    )


def _order(act: Act, said: CountOrder) -> Came:
    with act.doing(said.arguments(), said.reason):
        done = counts.order(
            act.engine, said.sku, said.location, by=act.by, reason=said.reason, now=act.now()
        )
    again = "" if done["fresh"] else ", as before"
    return Came(f"{said.sku} at {said.location}: recount ordered{again}")


def _worth(act: Act, said: Worth) -> Came:
    rows = counts.worths(said.rows)
    with act.doing({"file": "form", "rows": len(rows)}):
        done = counts.set_worth(act.engine, rows, "form", by=act.by, now=act.now())
    return Came(f"what {done['skus']} SKUs cost and are sold for is known")


def _adjust(act: Act, said: Adjusted) -> Came:
    with act.doing(said.arguments(), said.reason):
        book.adjust(
            act.house.wiring.house, said.id, said.sku, said.location, said.units, by=act.by,
            reason=said.reason, now=act.now(),
        )  # fmt: skip
    return Came(f"{said.sku} at {said.location}: {said.units:+d}")


def _reverse(act: Act, said: Reverse) -> Came:
    with act.doing(said.arguments(), said.reason):
        book.reverse(
            act.house.wiring.house, said.source, said.event_id, by=act.by, reason=said.reason,
            now=act.now(),
        )  # fmt: skip
    return Came(f"{said.source}/{said.event_id} is reversed")


def _expect(act: Act, said: Expected) -> Came:
    line = book.Line(
        said.id, said.sku, said.location, said.units, said.due.isoformat(), said.reference
    )
    with act.doing(said.arguments()):
        book.expect(act.house.wiring.house, line, by=act.by, now=act.now())
    return Came(f"{said.reference}: {said.units} of {said.sku} at {said.location}, due {said.due}")


def _picked(act: Act, said: Picked) -> Came:
    with act.doing(said.arguments()):
        book.shelf_was_empty(
            act.house.wiring.house, act.house.settings, said.id, said.sku, said.location,
            said.set_aside, by=act.by, now=act.now(),
        )  # fmt: skip
    return Came(f"{said.sku} at {said.location}: counted {said.set_aside}, and to be counted again")


def _skus(act: Act, said: SkusAdd) -> Came:
    with act.doing(said.arguments()):
        done = book.add_skus(act.house.wiring.house, said.skus, said.title)
    return Came(f"{done['known']} SKUs are known")


def _locations(act: Act, said: LocationsAdd) -> Came:
    with act.doing(said.arguments()):
        done = book.add_locations(act.house.wiring.house, said.locations, said.kind)
    return Came(f"{done['known']} locations are known")


def _seal(act: Act, _: Words) -> Came:
    with act.doing({}):
        done = ledger.seal(act.engine, now=act.now())
    return Came(f"{done['seals']} new seals, root {done['root']}")


def _token(act: Act, said: TokenCreate) -> Came:
    with act.doing(said.model_dump(mode="json")):
        made = tokens.create(
            act.engine, said.name, said.role, by=act.by, now=act.now(),
            random=os.urandom(secrets.BYTES), lasts=timedelta(days=said.days) if said.days else None,
        )  # fmt: skip
    return Came(f"{made.token.name} is {made.token.role}", secret=made.secret)


def _rotate(act: Act, said: TokenNamed) -> Came:
    with act.doing({"name": said.name}):
        made = tokens.rotate(
            act.engine, said.name, by=act.by, now=act.now(), random=os.urandom(secrets.BYTES)
        )
    return Came(f"{said.name} has another token; sessions of the old one ended", secret=made.secret)


def _revoke(act: Act, said: TokenNamed) -> Came:
    with act.doing({"name": said.name}):
        ended = tokens.revoke(act.engine, said.name, by=act.by, now=act.now())
    return Came(f"{ended.name} ({ended.role}) is no longer let in, nor any session of it")


_SKU: Final = Field("sku", "SKU", required=True)
_LOCATION: Final = Field("location", "Location", required=True)
_CASE: Final = Field("number", "Case", "number", required=True)
_TOKEN: Final = Field("name", "Name", required=True, hint="of a person or a program")

SHEETS: Final[tuple[Sheet[Any], ...]] = (
    Sheet("alloc.apply", "Change the rules", Applied,
          (Field("source", "Rules", "area", required=True, hint="the whole file (TOML)"),
           Field("expect_version", "Version that must be in force", "number",
                 hint="refused where another one is by then"), WHY),
          _apply, "/rules", "Nothing is put in force before you saw which numbers change.", lambda _: True,
          begin=_rules_now),
    Sheet("alloc.rollback", "Go back to older rules", RulesBack,
          (Field("version", "Version", "number", required=True), WHY), _rollback, "/rules",
          "The older version is put in force again, as a new one.", lambda _: True),
    Sheet("case.choose", "Say what is done about a case", Chosen,
          (_CASE, Field("response", "Response", "choice", required=True,
                        choices=tuple(each.value for each in Response)), WHY), _choose, "/cases",
          "Workers begin at once; each step is done once."),
    Sheet("case.run", "Try a case again", Numbered, (_CASE,), _run, "/cases",
          "What failed or waits is tried at once."),
    Sheet("case.close", "Close a case", Closed,
          (_CASE, Field("keep_hold", "Leave the order held at the channel", "flag"), WHY), _close, "/cases",
          "What was held at the channel is let go within seconds.", lambda _: True),
    Sheet("count.submit", "Submit a count sheet", CountSheet,
          (Field("sheet", "Sheet", "area", required=True,
                 hint="CSV: sku,location,counted and, if you like, at,reason; the first line names them"),
           Field("at", "Counted at", hint="such as 2026-03-12T09:00+01:00; now if left out"),
           Field("location", "Location", hint="of lines that name none"),
           Field("reason_code", "Reason of lines out of tolerance", "choice", choices=tuple(REASONS))),
          _submit, "/stores", "Booked whole or not at all, as of its minute. The same sheet twice is one count.",
          lambda _: True),
    Sheet("count.order", "Order a recount", CountOrder, (_SKU, _LOCATION, WHY), _order, "/stores",
          "Until it is in, fewer units are promised for pick-up."),
    Sheet("count.worth", "Say what units are worth", Worth,
          (Field("rows", "Worths", "area", required=True, hint="CSV: sku,cost,price; a blank leaves what is known"),),
          _worth, "/stores"),
    Sheet("pickup.failed", "Report a failed pick", Picked,
          (_SKU, _LOCATION, Field("set_aside", "Set aside for others", "number", hint="0 if left out"),
           Field("id", "id", "hidden")),
          _picked, "/stores", "A unit was to be picked and the shelf was empty."),
    Sheet("stock.adjust", "Correct stock", Adjusted,
          (_SKU, _LOCATION, Field("units", "Units", "number", required=True, hint="found, or -3 where they are gone"),
           Field("id", "id", "hidden"), WHY), _adjust, "/skus", "", lambda _: True),
    Sheet("stock.reverse", "Undo an event", Reverse,
          (Field("source", "Source", required=True), Field("event_id", "Id at its source", required=True), WHY),
          _reverse, "/skus", "Once only, by an event that names it.", lambda _: True),
    Sheet("supply.expect", "Expect supply", Expected,
          (_SKU, _LOCATION,
           Field("units", "Units", "number", required=True, hint="all of the line; 0 calls off the rest"),
           Field("due", "Due", required=True, hint="such as 2026-03-12"),
           Field("reference", "Reference", required=True, hint="the purchase order's line, as receipts will name it"),
           Field("id", "id", "hidden")), _expect, "/skus"),
    Sheet("catalogue.add-sku", "Make SKUs known", SkusAdd,
          (Field("skus", "SKUs", "list", required=True), Field("title", "Title")), _skus, "/skus"),
    Sheet("catalogue.add-location", "Make locations known", LocationsAdd,
          (Field("locations", "Locations", "list", required=True),
           Field("kind", "Kind", "choice", choices=("warehouse", "store", "mirror"))), _locations, "/stores"),
    Sheet("ledger.seal", "Seal the book now", Words, (), _seal, "/", "Workers do so once a minute."),
    Sheet("token.create", "Make a token", TokenCreate,
          (_TOKEN, Field("role", "Role", "choice", required=True, choices=tuple(each.value for each in Role)),
           Field("days", "Good for days", "number", hint="until it is revoked if left out")), _token, "/settings",
          "It is shown once and cannot be read again."),
    Sheet("token.rotate", "Make a token anew", TokenNamed, (_TOKEN,), _rotate, "/settings",
          "The old one ends, with every session it opened.", lambda _: True, hands_out=True),
    Sheet("token.revoke", "Revoke a token", TokenNamed, (_TOKEN,), _revoke, "/settings",
          "It ends at once, with every session it opened.", lambda _: True),
)  # fmt: skip
