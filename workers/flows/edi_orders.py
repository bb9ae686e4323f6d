"""Orders and their changes: promised out of what is locked, committed in the book, and answered, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import text

from channels.edi import answers, changes, drafting, order_book
from channels.edi.documents import OrderChange, Party, PurchaseOrder
from channels.edi.drafting import Draft, Puzzling
from channels.edi.promise import Terms, Wanted, promise
from channels.edi.standing import Standing, StandingLine
from channels.names import Names, Part
from ledger import decide
from ledger.events import AnyFact, Order
from ledger.types import Place, State
from workers.flows import edi_programs, promises
from workers.flows.allocate import targets_now
from workers.flows.edi_desk import Desk, answer, book, names

#: BEG01: 00 original, 06 confirmation; 01 cancellation; 05 replacement; 07 duplicate.
_ORIGINAL, _CANCEL, _REPLACE, _DUPLICATE = ("00", "06"), "01", "05", "07"
_BLANKET = "BK"
#: Names the partner's share of an item beside the SKUs that are available; no SKU may begin so.
_SHARE = "\x00"

_SHARES = text("""
    SELECT binding.variant_id AS item, binding.sku, binding.location, binding.pack, target.units
    FROM binding JOIN target USING (channel, sku, location)
    WHERE binding.channel = :channel AND binding.variant_id = ANY(CAST(:items AS text[]))
    ORDER BY binding.sku, binding.location
""")

_USUAL_PLACE = text("""
    SELECT channel.options ->> 'default_location' AS usual, min(channel_location.location) AS first,
           count(DISTINCT channel_location.location) AS places
    FROM channel LEFT JOIN channel_location USING (channel)
    WHERE channel = :channel
    GROUP BY channel.channel
""")

_CHANGE_BEFORE = text("""
    SELECT content_hash FROM edi_document
    WHERE partner = :partner AND order_number = :number AND release = :release AND set_id = '860'
      AND direction = 'in' AND state = 'applied' AND id <> :id AND (:any_sequence OR sequence = :sequence)
    ORDER BY id DESC
""")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document. state: applied, duplicate (nothing was done), held (waits for an earlier one)."""

    state: str
    sequence: int = 0
    note: str = ""


def order(desk: Desk, document: int, content_hash: str, said: PurchaseOrder) -> Outcome:
    """Take an 850.

    document    its row
    raises      Puzzling when a person must decide; NotBooked, Unwritable
    """
    before = order_book.standing(desk.connection, desk.partner.name, said.number, said.release)
    if said.purpose == _DUPLICATE:
        return Outcome("duplicate", note="the partner says that it is a copy (BEG01 07)")
    if said.purpose == _CANCEL:
        return _cancel_order(desk, document, said, before)
    if said.kind == _BLANKET:
        raise Puzzling(
            f"order {said.number} is a blanket order: nothing is committed before its releases;"
            " answer it by hand"
        )
    if before is not None and said.purpose in _ORIGINAL:
        if before.content_hash == content_hash:
            return Outcome("duplicate", note="answered before; nothing was posted")
        raise Puzzling(
            f"order {said.number} came again with another content under BEG01 {said.purpose}:"
            " ask the partner for BEG01 05, or an 860"
        )
    if said.purpose not in (*_ORIGINAL, _REPLACE):
        raise Puzzling(f"order {said.number} has BEG01 {said.purpose}, which we do not take")
    known = names(desk, drafting.ids_of(said.lines) | {party.code for party in said.parties})
    drafts = drafting.drafts(said.lines, desk.partner, known)
    _hold_unknown(desk, drafts)
    named = {draft.standing.key for draft in drafts}
    standing = _opened(desk, document, content_hash, said, before, known)
    if before is not None:
        drafts = changes.replacing(drafts, before)
    after = promise_lines(desk, standing, drafts)
    shown = [line for line in after.lines if line.key in named]
    again = "00" if before is None else "05"
    reply = answers.order_answer(said, shown, today=desk.now.date(), purpose=again)
    answer(desk, reply, answers=document, number=said.number, release=said.release)
    problems = [f"line {d.standing.line}: {d.problem}" for d in drafts if d.problem]
    return Outcome("applied", note="; ".join(problems[:10]))


def change(desk: Desk, document: int, content_hash: str, said: OrderChange) -> Outcome:
    """Take an 860, when those before it were taken.

    raises    Puzzling when a person must decide; NotBooked, Unwritable
    """
    standing = order_book.standing(desk.connection, desk.partner.name, said.number, said.release)
    if standing is None:
        number = _sequence(desk, said, None)
        return Outcome("held", number, f"order {said.number} has not come yet")
    sequence = _sequence(desk, said, standing)
    again = _seen_before(desk, document, content_hash, said, standing, sequence)
    if again is not None:
        return again
    if sequence > standing.changes_seen + 1:
        missing = standing.changes_seen + 1
        return Outcome(
            "held", sequence, f"change {missing} of order {said.number} has not come yet"
        )
    if standing.is_cancelled:
        raise Puzzling(f"order {said.number} is cancelled; change {sequence} cannot be made")
    return _apply_change(desk, document, said, replace(standing, changes_seen=sequence))


def promise_lines(desk: Desk, standing: Standing, drafts: Sequence[Draft]) -> Standing:
    """Promise lines out of what is available now, commit what is promised, and write the order down.

    The balances stay locked until the transaction ends, and so do the partner's programs.
    """
    lines = [draft.standing for draft in drafts]
    offer = edi_programs.on_offer(desk, standing, lines)
    wanted = [offer.wanted(draft.standing, draft.wanted) for draft in drafts]
    pool, reserved = _available(desk, standing.location, wanted, offer.skus)
    if desk.partner.promise == "share":
        wanted = [_with_share(desk, line, want) for line, want in zip(lines, wanted, strict=True)]
        pool |= _shares(desk, {line.item for line in lines})
    terms = Terms(partial=desk.partner.partial, backorder=desk.partner.backorder)
    promised_for = desk.now.date() + timedelta(days=desk.partner.lead_days)
    made = promise(wanted, pool, terms, offer.reserved(reserved))
    changed = tuple(line.after(each, promised_for) for line, each in zip(lines, made, strict=True))
    revision = max(desk.now, standing.revision + timedelta(microseconds=1))
    after = replace(standing.with_lines(changed), revision=revision)
    order_book.keep(desk.connection, desk.partner.name, after, changed)
    pairs = list(zip(changed, lines, strict=True))
    less = [line for line, was in pairs if line.accepted < was.accepted]
    more = [line for line, was in pairs if line.accepted > was.accepted]
    back, out = edi_programs.settle(desk, after, offer, zip(changed, made, strict=True))
    # Let go before it is taken, reserved again before it is released: nothing is below zero on the way.
    facts: list[AnyFact] = [fact for line in less for fact in _facts(desk, after, line)]
    facts += [*back, *out]
    facts += [fact for line in more for fact in _facts(desk, after, line)]
    if facts:
        book(desk, facts)
    return promises.dated(desk, after, lines, changed)


def _facts(desk: Desk, order: Standing, line: StandingLine) -> list[Order]:
    """A line in the book as it stands now."""
    return [
        Order(
            source=desk.partner.name,
            id=f"{order.order_id}:{name}:{order.revision.isoformat()}",
            occurred_at=desk.now,
            reference=order.order_id,
            channel=desk.partner.name,
            order=order.order_id,
            line=name,
            sku=part.sku,
            location=order.location,
            units=line.accepted * part.units,
            revision=order.revision,
        )
        for name, part in line.ledger_lines()
    ]


def _available(
    desk: Desk, location: str, wanted: Sequence[Wanted], of_programs: set[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """Units available of each SKU that is asked for, and units reserved of those that programs serve."""
    skus = {part.sku for want in wanted for part in want.parts}
    places = [Place(sku, location, State.AVAILABLE) for sku in skus]
    places += [Place(sku, location, State.RESERVED) for sku in of_programs]
    held = decide.hold(desk.connection, places)
    available = {p.sku: each.units for p, each in held.items() if p.state == State.AVAILABLE}
    reserved = {p.sku: each.units for p, each in held.items() if p.state == State.RESERVED}
    return available, reserved


def _with_share(desk: Desk, line: StandingLine, wanted: Wanted) -> Wanted:
    each = desk.partner.each(line.measure)
    if not wanted.parts or not each:
        return wanted
    return replace(wanted, share=Part(_SHARE + line.item, each))


def _shares(desk: Desk, items: set[str]) -> dict[str, int]:
    """What the partner is shown of each item; less, where sales since then have left its rules less."""
    name = desk.partner.name
    rows = desk.connection.execute(_SHARES, {"channel": name, "items": sorted(items)}).all()
    version, targets = targets_now(desk.connection, sorted({row.sku for row in rows}), desk.now)
    now = {(each.sku, each.location): each.units for each in targets if each.channel == name}
    shares: Counter[str] = Counter()
    for row in rows:
        left = now.get((row.sku, row.location), 0) if version else row.units
        shares[_SHARE + row.item] += min(row.units, left) // row.pack
    return dict(shares)


def _opened(
    desk: Desk,
    document: int,
    content_hash: str,
    said: PurchaseOrder,
    before: Standing | None,
    known: Names,
) -> Standing:
    """The order before anything of this document is promised."""
    if before is None:
        before = Standing(
            number=said.number,
            release=said.release,
            kind=said.kind,
            day=said.day,
            location=_location(desk, said.parties, known),
            document_id=document,
            content_hash=content_hash,
            ordered_at=desk.now,
            revision=desk.now - timedelta(microseconds=1),
        )
    return replace(
        before,
        kind=said.kind,
        day=said.day,
        document_id=document,
        content_hash=content_hash,
        parties=said.parties,
        is_cancelled=False,
    )


def _location(desk: Desk, parties: Sequence[Party], known: Names) -> str:
    """Where the order is served: where it says (N1 SF), where the partner is served, or the only place there is."""
    for party in parties:
        if party.role == "SF" and party.code in known.locations:
            return known.locations[party.code]
    if desk.partner.ship_from:
        return desk.partner.ship_from
    row = desk.connection.execute(_USUAL_PLACE, {"channel": desk.partner.name}).one()
    if row.usual:
        return str(row.usual)
    if row.places != 1:
        raise Puzzling(
            f"{desk.partner.name} is served from {row.places} locations: name one in the option ship_from"
        )
    return str(row.first)


def _hold_unknown(desk: Desk, drafts: Sequence[Draft]) -> None:
    if desk.partner.unknown_items == "hold":
        unknown = [draft.problem for draft in drafts if not draft.standing.item]
        if unknown:
            raise Puzzling(
                f"{'; '.join(unknown)}: map it (lockstep channel map --file), then retry it"
            )


def _cancel_order(
    desk: Desk, document: int, said: PurchaseOrder, before: Standing | None
) -> Outcome:
    if before is None:
        raise Puzzling(f"order {said.number} is to be cancelled and never came")
    if before.is_cancelled:
        return Outcome("duplicate", note="cancelled before")
    drafts = changes.cancelled(before)
    after = promise_lines(desk, replace(before, is_cancelled=True), drafts)
    reply = answers.order_answer(
        said, after.lines, today=desk.now.date(), purpose="01", deleted=True
    )
    answer(desk, reply, answers=document, number=said.number, release=said.release)
    return Outcome("applied", note="cancelled")


def _apply_change(desk: Desk, document: int, said: OrderChange, standing: Standing) -> Outcome:
    sequence = standing.changes_seen
    today = desk.now.date()
    if said.purpose == _CANCEL:
        gone = replace(standing, is_cancelled=True)
        after = promise_lines(desk, gone, changes.cancelled(standing))
        reply = answers.cancellation_answer(said, after.lines, today=today)
        answer(
            desk,
            reply,
            answers=document,
            number=said.number,
            release=said.release,
            sequence=sequence,
        )
        return Outcome("applied", sequence, "cancelled")
    known = names(desk, drafting.ids_of([line.line for line in said.lines]))
    understood = changes.understand(said, standing, desk.partner, known)
    drafts = [draft for each in understood for draft in each.drafts]
    keys = [draft.standing.key for draft in drafts]
    if len({*keys}) < len(keys):
        raise Puzzling(f"change {sequence} of order {said.number} names a line twice")
    _hold_unknown(desk, drafts)
    if said.purpose == _REPLACE:
        named = {line.line.number for line in said.lines}
        drafts += [d for d in changes.cancelled(standing) if d.standing.line not in named]
    after = promise_lines(desk, standing, drafts)
    lines = after.by_key()
    touched = [(each, [lines[d.standing.key] for d in each.drafts]) for each in understood]
    reply = answers.change_answer(said, touched, today=today)
    answer(
        desk, reply, answers=document, number=said.number, release=said.release, sequence=sequence
    )
    refused = [each.refused for each in understood if each.refused]
    return Outcome("applied", sequence, "; ".join(refused[:10]))


def _sequence(desk: Desk, said: OrderChange, standing: Standing | None) -> int:
    if desk.partner.change_sequence == "arrival":
        return standing.changes_seen + 1 if standing else 0
    text_ = said.sequence.strip() or "1"
    if not (text_.isascii() and text_.isdecimal() and 1 <= int(text_[:9]) <= 999_999):
        raise Puzzling(f"change {said.sequence!r} of order {said.number} has no number in BCH05")
    return int(text_)


def _seen_before(
    desk: Desk,
    document: int,
    content_hash: str,
    said: OrderChange,
    standing: Standing,
    sequence: int,
) -> Outcome | None:
    by_arrival = desk.partner.change_sequence == "arrival"
    if not by_arrival and sequence > standing.changes_seen:
        return None
    key = {
        "partner": desk.partner.name,
        "number": said.number,
        "release": said.release,
        "id": document,
        "sequence": sequence,
        "any_sequence": by_arrival,
    }
    before = set(desk.connection.execute(_CHANGE_BEFORE, key).scalars())
    if content_hash in before:
        return Outcome("duplicate", sequence, "answered before; nothing was posted")
    if by_arrival:
        return None
    raise Puzzling(
        f"change {sequence} of order {said.number} came again with another content: ask the partner for a new"
        " number in BCH05"
    )
