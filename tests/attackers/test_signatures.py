"""Deliveries that nobody sent, or that were sent for another purpose: of every vendor, at the real relay."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.registry import LANES
from tests.channels.shopify_builders import a_line, an_order
from tests.doors.doorstep import CHANNELS, SECRET, URL, Doorstep, a_doorstep, headers_of
from tests.doors.examples import Example, of_yesterday, ours
from tests.servers import Database

ROOT = Path(__file__).resolve().parents[2]
KINDS = sorted(CHANNELS)
SIGNED_BY = {
    "shopify": "X-Shopify-Hmac-Sha256",
    "amazon": "X-Pipe-Signature",
    "square": "x-square-hmacsha256-signature",
}
AN_ORDER = an_order(a_line(11, variant=1, units=3))
#: What is signed besides the body.
BEFORE = {"shopify": b"", "amazon": b"", "square": URL.encode()}


@pytest.fixture
def step(database: Database) -> Iterator[Doorstep]:
    with a_doorstep(database) as step:
        yield step


def an_example(kind: str) -> Example:
    names = ("orders.create", "OrderChangeNotification__0", "OrderFulfillmentUpdatedEvent")
    return next(e for e in ours() if e.kind == kind and e.name in names)


def mark(kind: str, body: bytes, secret: str = SECRET, how: str = "sha256") -> str:
    """The vendor's signature of a body, by a secret and a way that may be wrong."""
    return base64.b64encode(hmac.new(secret.encode(), BEFORE[kind] + body, how).digest()).decode()


def flipped(text: str, at: int) -> str:
    bits = bytearray(base64.b64decode(text))
    bits[at] ^= 1
    return base64.b64encode(bits).decode()


FORGED: dict[str, Callable[[str, bytes], str]] = {
    "none": lambda kind, body: "",
    "another secret": lambda kind, body: mark(kind, body, "hush-at-the-doo"),
    "no secret": lambda kind, body: mark(kind, body, ""),
    "another hash": lambda kind, body: mark(kind, body, how="sha1"),
    "a longer hash": lambda kind, body: mark(kind, body, how="sha512"),
    "in hex": lambda kind, body: base64.b64decode(mark(kind, body)).hex(),
    "no hash at all": lambda kind, body: base64.b64encode(body[:32]).decode(),
    "of the secret's hash": lambda kind, body: mark(kind, body, hashlib.sha256(SECRET.encode()).hexdigest()),
    "cut": lambda kind, body: mark(kind, body)[:-4],
    "longer": lambda kind, body: mark(kind, body) + "AAAA",
    "twice in one": lambda kind, body: f"{mark(kind, body)}, {mark(kind, body)}",
    "with a scheme": lambda kind, body: f"sha256={mark(kind, body)}",
    "of another body": lambda kind, body: mark(kind, body + b" "),
    "without the address": lambda kind, body: "" if not BEFORE[kind] else
    base64.b64encode(hmac.new(SECRET.encode(), body, "sha256").digest()).decode(),
    "in other letters": lambda kind, body: mark(kind, body).swapcase(),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_forged_signature_is_believed(step: Doorstep, kind: str) -> None:
    example = an_example(kind)

    codes = {
        name: step.leave(
            kind, example.topic, example.body, {SIGNED_BY[kind]: forge(kind, example.body)}
        ).status_code
        for name, forge in FORGED.items()
    }

    assert codes == dict.fromkeys(FORGED, 401)
    assert step.became() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_of_a_signature_counts(step: Doorstep, kind: str) -> None:
    example = an_example(kind)
    lane, good = LANES[kind], mark(kind, example.body)
    url = URL

    assert lane.verify(example.body, good, [SECRET], url)
    for at in range(32):
        assert not lane.verify(example.body, flipped(good, at), [SECRET], url)
    for at in range(0, len(example.body), max(1, len(example.body) // 200)):
        body = bytearray(example.body)
        body[at] ^= 1
        assert not lane.verify(bytes(body), good, [SECRET], url)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_means_the_same_and_is_written_otherwise_is_another_body(
    step: Doorstep, kind: str
) -> None:
    """A proxy that writes JSON anew breaks the signature, and must: what was signed are bytes."""
    example = an_example(kind)
    signature = {SIGNED_BY[kind]: mark(kind, example.body)}
    document = json.loads(example.body)
    rewritten = [
        json.dumps(document, separators=(",", ":"), sort_keys=True).encode(),
        json.dumps(document, indent=4, ensure_ascii=True).encode() + b"\n",
        b"\xef\xbb\xbf" + example.body,
        example.body + b"\n",
    ]

    assert {step.leave(kind, example.topic, body, signature).status_code for body in rewritten} == {
        401
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["right", "wrong"])
def test_a_signature_that_stands_twice_is_not_chosen_from(
    step: Doorstep, kind: str, first: str
) -> None:
    """Proxies and servers differ in which of two they read."""
    body = an_example(kind).body
    marks = [mark(kind, body), mark(kind, body, "wrong")]
    lines = [f"POST /hooks/{kind} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    said = headers_of(kind, an_example(kind).topic, body, "d-1")
    lines += [f"{name}: {value}" for name, value in said.items() if name != SIGNED_BY[kind]]
    lines += [f"{SIGNED_BY[kind]}: {each}" for each in (marks if first == "right" else marks[::-1])]

    answer = step.door.raw("\n".join(lines), body)

    assert answer.startswith(b"HTTP/1.1 400")
    assert step.became() == []


def books(step: Doorstep) -> list[tuple[object, ...]]:
    """Every event, and every balance that is not nothing."""
    with step.database.engine.connect() as connection:
        events = connection.exec_driver_sql("SELECT kind, source_id FROM event ORDER BY seq")
        rows: list[tuple[object, ...]] = [tuple(row) for row in events]
        balances = connection.exec_driver_sql(
            "SELECT sku, location, state, units FROM balance WHERE units <> 0 ORDER BY 1, 2, 3"
        )
        return rows + [tuple(row) for row in balances]


def test_an_order_that_is_replayed_a_hundred_times_under_new_ids_is_booked_once(
    step: Doorstep,
) -> None:
    """The id of a delivery stands in a header that no signature covers: the fact has an id of its own."""
    body = of_yesterday(json.dumps(AN_ORDER).encode(), datetime.now(UTC))
    step.know("shopify", [("orders/create", body)])
    step.leave("shopify", "orders/create", body)
    step.drain()
    once = books(step)

    for number in range(100):
        step.leave("shopify", "orders/create", body, {"X-Shopify-Webhook-Id": f"again-{number}"})
    step.drain()

    assert once
    assert books(step) == once


def test_a_body_under_another_topic_or_shop_books_nothing_that_it_does_not_say(
    step: Doorstep,
) -> None:
    """Neither topic nor shop is signed: the body alone says what happened, the secret alone whose it is."""
    body = of_yesterday(json.dumps(AN_ORDER).encode(), datetime.now(UTC))
    step.know("shopify", [("orders/create", body)])
    step.leave("shopify", "orders/create", body)
    step.drain()
    once = books(step)

    for topic in [*sorted(LANES["shopify"].topics), "orders/delete", "nothing/known"]:
        step.leave("shopify", topic, body, {"X-Shopify-Shop-Domain": "another.example"})
    step.drain()

    assert once
    assert books(step) == once


def _compares(tree: ast.AST) -> Iterator[ast.Compare]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq) for op in node.ops
        ):
            yield node


#: Parts of names of what must not be guessed letter by letter.
SECRET_WORDS = ("signature", "digest", "secret", "password", "csrf", "hmac")
#: Neither side is told by who asks, or the other side is no secret.
NOT_GUESSED = {
    "console/cli/certify.py: approved != read.digest",
    "workers/feed/verifying.py: files.digest(path) != file.sha256",
    "workers/feed/hooks.py: hook_words.proof_of(secret) != claim.proof",
}
#: They sign what we send, and believe nobody.
ONLY_SIGN = {
    "console/bench/hooks.py",
    "console/demo/rubbish.py",
    "workers/alerts/signed.py",
    "workers/feed/hook_words.py",
    "workers/flows/case_steps.py",
}


def test_nothing_that_is_secret_is_compared_letter_by_letter() -> None:
    """`==` ends at the first letter that differs, and its time tells how far a guess was right."""
    found = []
    for room in ("console", "workers", "channels"):
        for path in (ROOT / room).rglob("*.py"):
            if "simulators" in path.parts or "edi" in path.parts:
                continue
            for node in _compares(ast.parse(path.read_text())):
                sides = [node.left, *node.comparators]
                if any(isinstance(side, ast.Constant) for side in sides):
                    continue
                if any(
                    word in ast.unparse(side).lower() for side in sides for word in SECRET_WORDS
                ):
                    found.append(f"{path.relative_to(ROOT)}: {ast.unparse(node)}")

    assert set(found) - NOT_GUESSED == set()


def test_every_maker_of_a_signature_has_a_constant_comparison_or_only_signs() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ("console", "workers", "channels")
        for path in (ROOT / room).rglob("*.py")
        if "simulators" not in path.parts
        if "hmac.new(" in (text := path.read_text()) and "compare_digest(" not in text
    }

    assert found - ONLY_SIGN == set()
