"""856: the levels of a ship notice as orders, packs and items."""

from __future__ import annotations

from channels.edi.checkdigits import sscc_of_mark
from channels.edi.documents import Freight, Pack, ShipNotice, ShippedItem, ShippedOrder
from channels.edi.hierarchy import Level, levels
from channels.edi.loops import Loop
from channels.edi.reading import parts
from channels.edi.segments import Unreadable


def ship_notice(root: Loop) -> ShipNotice:
    """An 856; several shipment levels, which the standard does not forbid, are read as one."""
    bsn = root.first("BSN")
    tops, _ = levels(root)
    shipments = [top.loop for top in tops if top.kind == "S"]
    below = [child for top in tops if top.kind == "S" for child in top.children]
    below += [top for top in tops if top.kind != "S"]
    first = shipments[0] if shipments else Loop(bsn)
    return ShipNotice(
        id=parts.required(bsn, 2),
        day=parts.required_day(bsn, 3),
        time=bsn.get(4),
        contents=tuple(_content(level) for level in below),
        purpose=bsn.get(1),
        structure=bsn.get(5),
        dates=parts.dates(root) + parts.dates(first),
        references=parts.references(first),
        parties=parts.parties(first),
        freight=_freight(first),
    )


def _content(level: Level) -> ShippedOrder | Pack | ShippedItem:
    return _order(level) if level.kind == "O" else _inside(level)


def _inside(level: Level) -> Pack | ShippedItem:
    match level.kind:
        case "T" | "P":
            return _pack(level)
        case "I":
            return _item(level)
        case _:
            raise Unreadable(
                f"HL03 {level.kind!r} is none of S, O, T, P, I in its place; {level.loop.head.at}"
            )


def _order(level: Level) -> ShippedOrder:
    prf = level.loop.first("PRF")
    return ShippedOrder(
        number=parts.required(prf, 1) if prf.elements else "",
        day=parts.day(prf, 4),
        release=prf.get(2),
        references=parts.references(level.loop),
        parties=parts.parties(level.loop),
        contents=tuple(_inside(child) for child in level.children),
    )


def _pack(level: Level) -> Pack:
    marks = [pair for man in level.loop.all("MAN") for pair in _marks(man.get(1), man.get(2))]
    marks += [pair for man in level.loop.all("MAN") for pair in _marks(man.get(4), man.get(5))]
    by_qualifier: dict[str, str] = {}
    for qualifier, mark in marks:
        by_qualifier.setdefault(qualifier, mark)
    return Pack(
        kind=level.kind,
        sscc=sscc_of_mark(by_qualifier.get("GM", "")),
        tracking=by_qualifier.get("CP", ""),
        contents=tuple(_inside(child) for child in level.children),
    )


def _marks(qualifier: str, mark: str) -> list[tuple[str, str]]:
    return [(qualifier, mark)] if mark else []


def _item(level: Level) -> ShippedItem:
    loop = level.loop
    lin, sn1 = loop.first("LIN"), loop.first("SN1")
    if not sn1.elements:
        raise Unreadable(f"item {level.number} has no SN1; {loop.head.at}")
    inner = [_inside(child) for child in level.children]
    return ShippedItem(
        quantity=parts.required_number(sn1, 2),
        measure=sn1.get(3),
        number=lin.get(1) or sn1.get(1),
        products=parts.products(lin, 2),
        description=parts.description(loop),
        ordered=parts.number(sn1, 5),
        ordered_measure=sn1.get(6),
        order=loop.first("PRF").get(1),
        packs=tuple(pack for pack in inner if isinstance(pack, Pack)),
    )


def _freight(loop: Loop) -> Freight | None:
    td1, td5 = loop.first("TD1"), loop.first("TD5")
    if not td1.elements and not td5.elements:
        return None
    packages = parts.number(td1, 2)
    return Freight(
        packaging=td1.get(1),
        packages=int(packages) if packages is not None else None,
        weight=parts.number(td1, 7),
        weight_measure=td1.get(8),
        carrier=td5.get(3),
        routing=td5.get(5),
        mode=td5.get(4),
    )
