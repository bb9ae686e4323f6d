"""How each page of the dashboard is asked: addresses with names of things that are there, and a search for its list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from console.bench.pages_book import HOT

#: One row: a name or number of everything that has a page of its own.
SAMPLES: Final = f"""
    SELECT '{HOT}' AS hot, 'S0000777' AS cold,
           (SELECT max(id) FROM drift) AS drift, (SELECT min(id) FROM incident) AS incident,
           (SELECT max(id) FROM oversold_case) AS case_id, (SELECT max(id) FROM failure) AS failure,
           (SELECT max(id) FROM push) AS push, (SELECT max(id) FROM inbox) AS delivery,
           (SELECT id::text FROM event ORDER BY id DESC LIMIT 1) AS event,
           (SELECT order_id FROM order_line ORDER BY channel, order_id LIMIT 1) AS of_order,
           (SELECT max(version) FROM rule_set) AS rules, (SELECT max(id) FROM edi_document) AS document,
           (SELECT order_number FROM edi_document ORDER BY id DESC LIMIT 1) AS purchase,
           (SELECT seller_sku FROM fba_mirror ORDER BY seller_sku LIMIT 1) AS item,
           (SELECT sku FROM binding WHERE location = 'FBA' ORDER BY sku LIMIT 1) AS mirrored,
           (SELECT channel FROM quarantine ORDER BY id DESC LIMIT 1) AS held_on,
           (SELECT channel FROM halt WHERE state <> 'lifted' ORDER BY id DESC LIMIT 1) AS halted_on,
           (SELECT sku FROM program_line ORDER BY program, sku LIMIT 1) AS agreed,
           (SELECT sku FROM halt_scope ORDER BY id LIMIT 1) AS scoped,
           to_char(now() - interval '1 day', 'YYYY-MM-DD"T"HH24:MI') AS yesterday,
           to_char(now() - interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS') AS just_now,
           (SELECT sku FROM drift WHERE resolved_at IS NULL ORDER BY id LIMIT 1) AS drifting,
           (SELECT sku FROM halt WHERE state <> 'lifted' ORDER BY id LIMIT 1) AS halted,
           (SELECT sku FROM push_due ORDER BY since LIMIT 1) AS waiting,
           (SELECT sku FROM failure WHERE state = 'open' ORDER BY id LIMIT 1) AS failing,
           (SELECT sku FROM oversold_case WHERE state <> 'closed' ORDER BY id LIMIT 1) AS oversold
"""  # noqa: S608 -- composed of constants


@dataclass(frozen=True, slots=True)
class Asked:
    """A page.

    addresses    of it; the last is the one whose list is read on
    lists        whether it is a list, with more rows than fit
    searches     (address, a word that every row found must have)
    """

    addresses: tuple[str, ...]
    lists: bool = False
    searches: tuple[tuple[str, str], ...] = ()


def _list(address: str, *searches: tuple[str, str], also: tuple[str, ...] = ()) -> Asked:
    return Asked((*also, address), True, searches)


ASKED: Final[dict[str, Asked]] = {
    "/login": Asked(("/login",)),
    "/": Asked(("/",)),
    "/now/live": Asked(("/now/live",)),
    "/now/limits": Asked(("/now/limits",)),
    "/skus": _list("/skus", ("/skus?q=lot+99", "lot 99"), ("/skus?q={hot}", "{hot}"), also=("/skus?due=1",)),
    "/search": Asked(tuple(f"/search?q={words}" for words in ("mug", "lot+99", "{of_order}", "{event}", "{push}"))),
    "/sku/{name:path}": Asked(
        (
            "/sku/{hot}", "/sku/{hot}?hours=720", "/sku/{hot}?hours=720&kind=event", "/sku/{hot}?hours=720&kind=halt",
            "/sku/{hot}?hours=720&channel=shop&kind=push", "/sku/{hot}?at={yesterday}", "/sku/{cold}?hours=720",
        )
    ),
    "/explain": Asked(
        ("/explain?sku={hot}&channel=shop", "/explain?sku={hot}&channel=shop&at={just_now}",
         "/explain?sku={cold}&channel=till&location=ST-1")
    ),
    "/chart": Asked(("/chart?sku={hot}&channel=shop&location=WH-1&hours=720",)),
    "/drift": _list(
        "/drift", ("/drift?sku={drifting}", "{drifting}"), ("/drift?cause=unknown", "unknown"),
        ("/drift?channel=till", "till"), also=("/drift?all=1", "/drift?all=1&sku={cold}", "/drift?all=1&sku={hot}"),
    ),
    "/drift/quarantine": _list(
        "/drift/quarantine", ("/drift/quarantine?sku={drifting}", "{drifting}"),
        ("/drift/quarantine?channel={held_on}", "{held_on}"),
    ),
    "/drift/{number}": Asked(("/drift/{drift}",)),
    "/halts": _list("/halts", ("/halts?sku={halted}", "{halted}"), ("/halts?channel={halted_on}", "{halted_on}")),
    "/halts/scopes": _list("/halts/scopes", ("/halts/scopes?sku={scoped}", "{scoped}")),
    "/runs": _list("/runs", ("/runs?channel=till", "till"), ("/runs?state=missed", "missed")),
    "/runs/early": _list("/runs/early", ("/runs/early?sku={hot}", "{hot}")),
    "/incidents": _list("/incidents", ("/incidents?channel=c7", "c7"), also=("/incidents?all=1",)),
    "/incidents/{number}": _list("/incidents/{incident}", ("/incidents/{incident}?q=S0000007", "S0000007")),
    "/cases": _list("/cases", ("/cases?sku={oversold}", "{oversold}"), also=("/cases?all=1",)),
    "/cases/{number}": Asked(("/cases/{case_id}",)),
    "/failed": _list(
        "/failed", ("/failed?channel=shop", "shop"), ("/failed?sku={failing}", "{failing}"),
        ("/failed?kind=rejected", "rejected"), also=("/failed?state=resolved", "/failed?state=resolved&channel=shop"),
    ),
    "/failed/{number}": Asked(("/failed/{failure}",)),
    "/operations": _list("/operations", ("/operations?verb=retry", "retry")),
    "/pushes": _list(
        "/pushes", ("/pushes?sku={waiting}", "{waiting}"), ("/pushes?channel=till&parked=1", "till")
    ),
    "/pushes/sent": _list(
        "/pushes/sent", ("/pushes/sent?sku={hot}", "{hot}"), ("/pushes/sent?channel=till", "till"),
        ("/pushes/sent?channel=shop&sku={hot}", "{hot}"),
    ),
    "/pushes/{number}": Asked(("/pushes/{push}",)),
    "/events/{number}": Asked(("/events/{event}",)),
    "/order": Asked(("/order?order={of_order}",)),
    "/inbox": _list(
        "/inbox", ("/inbox?source=till", "till"), also=("/inbox?state=applied", "/inbox?state=applied&source=till")
    ),
    "/inbox/{number}": Asked(("/inbox/{delivery}",)),
    "/rules": _list("/rules", ("/rules?q=season+7", "season 7")),
    "/rules/{number}": Asked(("/rules/{rules}",)),
    "/stores": Asked(("/stores", "/stores?location=ST-2")),
    "/stores/recounts": _list("/stores/recounts", ("/stores/recounts?sku={hot}", "{hot}")),
    "/reorder": Asked(("/reorder", "/reorder?sku=S0000007", "/reorder?limit=20&after=20")),
    "/levels": _list("/levels", ("/levels?sku={hot}", "{hot}")),
    "/reorder/{sku:path}": Asked(("/reorder/{hot}",)),
    "/edi": _list("/edi", ("/edi?order={purchase}", "{purchase}"), also=("/edi?all=1",)),
    "/edi/programs": _list("/edi/programs", ("/edi/programs?sku={agreed}", "{agreed}")),
    "/edi/{number}": Asked(("/edi/{document}",)),
    "/amazon": _list("/amazon", ("/amazon?all=1&sku={mirrored}", "{mirrored}"), also=("/amazon?all=1",)),
    "/amazon/offers": _list("/amazon/offers", ("/amazon/offers?sku=B000000007", "B000000007")),
    "/amazon/aged": _list("/amazon/aged", ("/amazon/aged?sku={item}", "{item}")),
    "/amazon/send-in": _list("/amazon/send-in", ("/amazon/send-in?sku={item}", "{item}")),
    "/amazon/standing": Asked(("/amazon/standing?channel=market&sku={item}",)),
    "/audit": _list(
        "/audit", ("/audit?actor=p7", "p7"), ("/audit?object=sku:{hot}", "{hot}"), ("/audit?verb=halt", "halt.set"),
        also=("/audit?trail=1", "/audit?trail=1&verb=sku", "/audit?outcome=refused"),
    ),
    "/review": Asked(("/review",)),
    "/settings": _list("/settings", ("/settings?q=relay-7", "relay-7")),
}  # fmt: skip


def asked_of(path: str) -> Asked | None:
    """How a page is asked; None: nobody says. The sheet of a verb is asked by its address alone."""
    return ASKED.get(path) or (Asked((path,)) if path.startswith("/do/") else None)
