"""Whatever comes from outside goes into statements, pages, tables, files, addresses, logs and Slack in one way each.

The walks of `sinks` read our whole source. What they find must be named here with its reason, so that a new field in a
statement, a page or a line of the log is either treated as the others are, or thought about. Each walk must find what
is planted for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.attackers import sinks
from tests.attackers.constants import Sources
from tests.attackers.sinks import Leak

Walk: TypeAlias = Callable[[Sources], Iterable[Leak]]

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("ledger", "allocation", "channels", "reconcile", "workers", "console")
#: Houses that somebody starts to try or measure something, with data that they make up themselves.
PLAYED = {"simulators", "bench", "chaos", "demo", "drill", "faults", "local", "prove"}
#: Classes whose objects are statements: `unproven` looks at every one that is made.
MADE = frozenset({("console/views/listing.py", "Listing"), ("workers/feed/sheets.py", "Sheet")})

CONDITIONS = (
    "conditions of a table are picked by the names of a filter's fields; values travel beside them"
)
PARTNERS_NAME = "bare names only, checked by `mailbox` before they come here"
TYPED_FILE = "a file that the operator names on their own command line"
OWN_FOLDER = "a folder and names of the house's own"
SETTING = "the settings say it, and who runs the house makes them"
NUMBER = "a number"
LISTED = "one of a list of ours"
TABLES = "names of tables and times, written out in a list of ours"

NAMED: dict[str, dict[str, str]] = {
    "sql": {
        "workers/failures/store.py:_asked": CONDITIONS,
        "workers/flows/stamps.py:newest_of_all": TABLES,
        "workers/flows/stamps.py:put_back": TABLES,
        "workers/flows/waiting.py": "a table of ours: each row is a statement of its own room",
    },
    "unproven": {},
    "tables": {
        "console/cli/spreadsheet.py:write": "the one writer of tables for people",
        "workers/feed/reading.py:rows": "for programs, who must get what the book says to the letter (docs/feed.md)",
    },
    "markup": {},
    "redirects": {
        "console/pages/acts.py:_done": "a page of this house (`links.is_ours`)",
        "console/pages/acts.py:_refused": "a page of this house (`links.is_ours`)",
        "console/pages/routes.py:home": "a page of this house (`links.is_ours`)",
        "console/pages/routes.py:search": "made by `links`",
    },
    "clients": {
        "channels/http.py": "the one client",
        "channels/downloads.py": "names errors of the client's session",
        "channels/outbound.py": "the client's adapter for addresses that were typed in",
        "channels/reach.py": "the adapter that looks at every connection",
        "channels/addresses.py": "reads addresses, and connects to nobody",
        "channels/edi/sftp.py": "SFTP with a pinned host key",
        "console/cli/elsewhere.py": "asks the house that the operator named by LOCKSTEP_URL",
        "workers/alerts/slack.py": "Slack's own client, looked at before each call",
    },
    "addresses": {
        "channels/http.py:post_json": "its callers are looked at",
        "channels/square/api.py:pages": "its callers are looked at",
        "workers/feed/hooks.py:_call": "the whole address was typed in and is looked at (`outbound.check`)",
        "workers/flows/case_steps.py:post": SETTING,
        "workers/alerts/doors.py:tell": SETTING,
    },
    "files": {
        "channels/edi/exchange.py:_make_last": PARTNERS_NAME,
        "channels/edi/exchange.py:entries": PARTNERS_NAME,
        "channels/edi/exchange.py:make_folder": PARTNERS_NAME,
        "channels/edi/exchange.py:make_folders": SETTING,
        "channels/edi/exchange.py:move": PARTNERS_NAME,
        "channels/edi/exchange.py:read": PARTNERS_NAME,
        "channels/edi/exchange.py:remove": PARTNERS_NAME,
        "channels/edi/exchange.py:settle": PARTNERS_NAME,
        "channels/edi/exchange.py:write": PARTNERS_NAME,
        "channels/edi/sftp.py:make_folder": PARTNERS_NAME,
        "channels/edi/sftp.py:move": PARTNERS_NAME,
        "channels/edi/sftp.py:read": PARTNERS_NAME,
        "channels/edi/sftp.py:write": PARTNERS_NAME,
        "console/api/login.py:_opened": "opens a session, and no file",
        "console/cli/amazon.py:create_mcf": TYPED_FILE,
        "console/cli/bench_house.py:sync": OWN_FOLDER,
        "console/cli/channel.py:_text": TYPED_FILE,
        "console/cli/common.py:_new_home": OWN_FOLDER,
        "console/cli/count.py:submit_": TYPED_FILE,
        "console/cli/edi.py:_parsed": TYPED_FILE,
        "console/cli/edi_trade.py:_text": TYPED_FILE,
        "console/cli/faults.py:_home": OWN_FOLDER,
        "console/cli/review.py:_write": TYPED_FILE,
        "console/cli/rule_files.py:check": TYPED_FILE,
        "console/cli/spreadsheet.py:read": TYPED_FILE,
        "console/pages/static_files.py:_read": "what is packaged, found before anybody asks",
        "console/pages/static_files.py:served": "what is packaged, found before anybody asks",
        "workers/feed/export.py:_write": OWN_FOLDER,
        "workers/feed/files.py:_rows_of_csv": OWN_FOLDER,
        "workers/feed/files.py:digest": OWN_FOLDER,
        "workers/feed/files.py:write": OWN_FOLDER,
        "workers/feed/manifest.py:held": OWN_FOLDER,
        "workers/feed/manifest.py:put": OWN_FOLDER,
        "workers/feed/manifest.py:read": OWN_FOLDER,
        "workers/feed/manifest.py:replace": OWN_FOLDER,
        "workers/keys.py:_make_once": OWN_FOLDER,
        "workers/keys.py:key_of": OWN_FOLDER,
        "workers/wiring.py:read_secrets": SETTING,
    },
    "programs": {},
    "slack": {
        "workers/alerts/slack_message.py:_fenced": "`said` is escaped",
        "workers/alerts/slack_message.py:_links": "names of rules, runbooks and pages are ours",
        "workers/alerts/slack_message.py:reply": NUMBER,
    },
}  # fmt: skip
WALKS: dict[str, Walk] = {name: getattr(sinks, name) for name in NAMED}

PAGES = {
    ("failed.html", "href: s"): LISTED,
    ("failed.html", "href: c.kind"): LISTED,
    ("failed.html", "href: c.state"): LISTED,
    ("failed.html", "href: f.id"): NUMBER,
    ("layout.html", "href: address"): "the menu's",
    ("search.html", "href: to"): LISTED,
    ("search.html", "href: r.id"): NUMBER,
    ("do.html", "href: field.name"): "a field of a form of ours",
    ("do.html", "action: sheet.verb"): LISTED,
    ("do.html", "href: back"): "a page of this house (`links.is_ours`)",
    ("cases.html", "href: c.get('case', c.get('id'))"): NUMBER,
    ("made.html", "href: sheet.home"): LISTED,
    ("macros.html", "action: path"): "its callers write it out",
    ("sku.html", "href: to"): "a page of ours with a number, or made by `links`",
    ("explain.html", "href: '#ledger' if r.name == 'available' else"
                     " (links.rules(t.rules.version) if t.rules else '/rules')"): "made by `links`, or written out",
}  # fmt: skip
#: Attributes of a field that the template itself writes, each in quotes.
ABOUT = "{{ about }}"

#: What a line of the log may say: ids, numbers, words of ours, and errors, which `console.logs` scrubs.
FIELDS = frozenset({
    "applied", "asked", "attempts", "bell", "case", "cases", "channel", "channels", "check", "chosen",
    "claimed", "confirmed", "control", "document", "done", "drifted", "due", "ended", "entries", "error",
    "error_id", "exc_info", "expected", "failed", "failure", "first", "halted", "hook", "inbox_id",
    "incident", "job", "kind", "messages", "more", "next", "object", "operation", "order", "origin", "parked",
    "places", "problem", "problems", "program", "read", "receipt", "rejected", "row", "rows", "rule", "run",
    "seconds", "severity", "sku", "skus", "stage", "stale", "state", "step", "stopped", "taken", "taken_back",
    "task", "told", "too_much", "topics", "trouble", "unbound", "units", "uri", "why", "window_at", "wrong",
})  # fmt: skip
#: Lines whose fields are a table of ours.
LINES = {
    "workers/chores.py:work_programs": "an alarm's detail: numbers and names",
    "workers/flows/reconcile.py:_told_in_time": "an alarm's detail: numbers and names",
    "workers/flows/reconcile.py:open_windows": "an alarm's detail: numbers and names",
    "workers/errands.py:forget": "tables of ours, and how many rows",
    "workers/flows/alerts.py:_log": "what a post is",
}


@cache
def house() -> Sources:
    """Our source, without what plays a house or a vendor."""
    return Sources(
        {
            str(path.relative_to(ROOT)): path.read_text()
            for room in ROOMS
            for path in (ROOT / room).rglob("*.py")
            if not PLAYED & set(path.relative_to(ROOT).parts)
        },
        MADE,
    )


@cache
def pages() -> Mapping[str, str]:
    return {path.name: path.read_text() for path in (ROOT / "console").rglob("*.html")}


@pytest.mark.parametrize("name", NAMED)
def test_what_comes_from_outside_goes_there_in_one_way_only(name: str) -> None:
    found: dict[str, list[str]] = {}
    for leak in WALKS[name](house()):
        found.setdefault(leak.where, []).append(f"line {leak.line}: {leak.says}")

    assert {where: says for where, says in found.items() if where not in NAMED[name]} == {}
    # An exception that nothing needs any more would cover what comes next.
    assert set(NAMED[name]) - set(found) == set()


def test_no_word_reaches_a_page_where_escaping_does_not_hold() -> None:
    found = [leak for leak in sinks.templates(pages()) if ABOUT not in leak.says]

    assert [leak for leak in found if (leak.where, leak.says) not in PAGES] == []
    assert set(PAGES) - {(leak.where, leak.says) for leak in found} == set()


def test_a_line_of_the_log_says_what_is_known_to_be_harmless() -> None:
    leaks = list(sinks.logs(house(), FIELDS))

    assert [leak for leak in leaks if leak.where not in LINES] == []
    assert set(LINES) - {leak.where for leak in leaks} == set()


HEAD = "from sqlalchemy import text\nfrom sqlalchemy import Connection\n"
PLANTS: list[tuple[str, str]] = [
    ("sql", HEAD + "def f(c: Connection, sku: str): c.execute(text(f\"SELECT '{sku}'\"))"),
    ("sql", HEAD + "def f(c: Connection, sku: str): c.execute(text('SELECT ' + sku))"),
    ("sql", HEAD + "def f(c: Connection, sku: str): c.execute(text('SELECT %s' % sku))"),
    ("sql", HEAD + "def f(c: Connection, sku: str): c.execute(text('SELECT {}'.format(sku)))"),
    ("sql", HEAD + "def f(c: Connection, by: str):\n    q = 'SELECT 1 ORDER BY '\n    q += by\n    c.execute(text(q))"),
    ("sql", HEAD + "_T = {'a': 'b'}\ndef _q(by: str): return text(_T.get(by) or by)\ndef f(by: str): return _q(by)"),
    ("sql", HEAD + "_Q = 'SELECT {}'\ndef f(rows: list[str]): return text(_Q.format(', '.join(r for r in rows)))"),
    ("sql", "def f(c, sku: str): c.execute(f\"SELECT '{sku}'\")"),
    ("sql", "def f(c, sku: str): c.exec_driver_sql('SELECT ' + sku)"),
    ("sql", "from psycopg import sql\ndef f(name: str): return sql.SQL('DROP TABLE ' + name)"),
    ("unproven", "from console.views.listing import Listing\ndef f(by: str): return Listing('a', by, '', ())"),
    ("tables", "import csv\ndef f(out, rows): csv.writer(out).writerows(rows)"),
    ("tables", "def f(rows): return Response(rows, media_type='text/csv')"),
    ("markup", "from markupsafe import Markup\ndef f(sku: str): return Markup(f'<b>{sku}</b>')"),
    ("markup", "def f(sku: str): return HTMLResponse('<b>' + sku)"),
    ("markup", "from jinja2 import Environment\nE = Environment(loader=None)"),
    ("markup", "from jinja2 import Template\ndef f(sku: str): return Template(sku).render()"),
    ("redirects", "def f(request): return RedirectResponse(request.query_params['next'])"),
    ("clients", "import httpx\ndef f(url: str): return httpx.get(url)"),
    ("clients", "def f(url: str):\n    from urllib.request import urlopen\n    return urlopen(url)"),
    ("clients", "import smtplib"),
    ("addresses", "def f(http, sku: str): return http.call('GET', f'/items/{sku}')"),
    ("addresses", "def f(api, sku: str):\n    path = '/items/' + sku\n    return api.ask('PUT', path)"),
    ("files", "from pathlib import Path\ndef f(name: str): return (Path('/data') / name).read_bytes()"),
    ("files", "def f(name: str): return open('/data/' + name)"),
    ("programs", "import subprocess"),
    ("programs", "import os\ndef f(name: str): os.system('ls ' + name)"),
    ("programs", "from pickle import loads"),
    ("programs", "def f(said: str): return eval(said)"),
    ("slack", "def f(sku: str): return {'type': 'mrkdwn', 'text': f'*{sku}* is low'}"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "planted"), PLANTS)
def test_what_is_planted_is_found(name: str, planted: str) -> None:
    kept = {"console/views/listing.py": "class Listing: ...\n"}
    path = "workers/planted.py"

    found = [
        leak.where.partition(":")[0] for leak in WALKS[name](Sources({**kept, path: planted}, MADE))
    ]

    assert path in found


@pytest.mark.parametrize(
    "planted",
    [
        "log.info('push.sent', buyer=order.buyer)",
        "log.info('push.sent', error=reply.body)",
        "log.info(f'push.sent {sku}')",
        "log.info('push.sent', **order)",
        "log.warning('push.sent %s', sku)",
    ],
)
def test_a_line_of_the_log_that_says_more_is_found(planted: str) -> None:
    sources = Sources({"workers/planted.py": f"def f(sku, order, reply): {planted}"})

    assert list(sinks.logs(sources, FIELDS))


@pytest.mark.parametrize(
    "planted",
    [
        "<p>{{ sku | safe }}</p>",
        "{% autoescape false %}{{ sku }}{% endautoescape %}",
        "<a href={{ sku }}>x</a>",
        '<a href="{{ url }}">x</a>',
        '<a href="/sku/{{ sku }}">x</a>',
        '<form action="/do/{{ verb }}">',
        "<p onclick=\"go('{{ sku }}')\">",
        '<p style="color: {{ colour }}">',
        "<p {{ attributes }}>",
        "<script>const sku = '{{ sku }}'</script>",
    ],
)
def test_a_page_that_escaping_does_not_cover_is_found(planted: str) -> None:
    assert list(sinks.templates({"planted.html": planted}))


@pytest.mark.parametrize(
    "fine",
    [
        "<p title=\"{{ sku }}\">{{ sku }}</p>",
        '<a href="{{ links.sku(sku) }}">x</a>',
        '<a href="/halts?channel={{ c | urlencode }}">x</a>',
        "{% set to = links.sku(sku) %}<a href=\"{{ to }}\">x</a>",
    ],
)  # fmt: skip
def test_what_escaping_covers_is_no_finding(fine: str) -> None:
    assert list(sinks.templates({"fine.html": fine})) == []


@pytest.mark.parametrize(
    "fine",
    [
        "_A = 'a'\n_Q = text(f'SELECT {_A}')",
        "_BY = {'a': 'x', 'b': 'y'}\ndef f(by: str): return text('SELECT 1 ORDER BY ' + _BY[by])",
        "def f(rows: int): return text(f'SELECT 1 LIMIT {rows}')",
        "def _q(column: str): return text(f'SELECT {column}')\n_ALL = [_q('a'), _q(column='b')]",
        "_Q = text(', '.join(f'{name} = 1' for name in ('a', 'b')))",
    ],
)
def test_a_statement_of_constants_is_no_finding(fine: str) -> None:
    assert list(sinks.sql(Sources({"workers/fine.py": HEAD + fine}))) == []
