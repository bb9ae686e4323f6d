"""Who may do what: a closed table of verbs, each with the lowest role that may."""

from __future__ import annotations

from typing import Final

from console.access.types import Role, Verb

_VIEWER, _OPERATOR, _LEAD, _ADMIN = Role.VIEWER, Role.OPERATOR, Role.LEAD, Role.ADMIN

#: Operators keep things going and stop what goes wrong; leads put on sale again, change the book and the rules; admins
#: hand out tokens and move the whole house.
_TABLE: Final = (
    Verb("alert.ack", _OPERATOR, "incident", ("incident",)),
    Verb("alert.silence", _OPERATOR, "rule", ("rule", "channel")),
    Verb("alert.test", _OPERATOR, "doors"),
    Verb("alloc.apply", _LEAD, "rules"),
    Verb("alloc.rollback", _LEAD, "rules", ("version",)),
    Verb("amazon.capacity.set", _LEAD, "channel", ("name",)),
    Verb("amazon.ipi.set", _LEAD, "channel", ("name",)),
    Verb("amazon.mcf.create", _LEAD, "order", ("of_channel", "order")),
    Verb("amazon.mirror", _OPERATOR, "channel", ("name",)),
    Verb("amazon.size.set", _LEAD, "file", ("file",)),
    Verb("case.choose", _OPERATOR, "case", ("number",)),
    Verb("case.close", _OPERATOR, "case", ("number",)),
    Verb("case.run", _OPERATOR, "case", ("number",)),
    Verb("catalogue.add-location", _LEAD, "location", ("locations",)),
    Verb("catalogue.add-sku", _LEAD, "sku", ("skus",)),
    Verb("channel.certify", _LEAD, "channel", ("name",)),
    Verb("channel.map", _LEAD, "channel", ("name",)),
    Verb("channel.pause", _OPERATOR, "channel", ("name",)),
    Verb("channel.resume", _OPERATOR, "channel", ("name",)),
    Verb("channel.subscribe", _LEAD, "channel", ("name",)),
    Verb("count.order", _OPERATOR, "place", ("sku", "location")),
    Verb("count.submit", _OPERATOR, "sheet", ("file",)),
    Verb("count.worth", _LEAD, "file", ("file",)),
    Verb("db.upgrade", _ADMIN, "database"),
    Verb("edi.dismiss", _OPERATOR, "document", ("document",)),
    Verb("edi.exchange", _OPERATOR, "channel", ("partner",)),
    Verb("edi.resend", _OPERATOR, "document", ("document",)),
    Verb("edi.retry", _OPERATOR, "document", ("document",)),
    Verb("edi.ship", _OPERATOR, "order", ("partner", "number")),
    Verb("export.run", _OPERATOR, "folder", ("folder",)),
    Verb("failed.assign", _OPERATOR, "failure", ("ids",)),
    Verb("failed.discard", _OPERATOR, "failure", ("ids",)),
    Verb("failed.retry", _OPERATOR, "failure", ("ids",)),
    Verb("forecast.run", _OPERATOR, "forecast"),
    Verb("halt.lift", _LEAD, "halt", ("channel", "location", "sku")),
    Verb("halt.set", _OPERATOR, "halt", ("channel", "location", "sku")),
    Verb("history.import", _ADMIN, "file", ("events",)),
    Verb("hook.add", _ADMIN, "hook", ("name",)),
    Verb("hook.remove", _ADMIN, "hook", ("name",)),
    Verb("hook.test", _OPERATOR, "hook", ("name",)),
    Verb("inbox.replay", _OPERATOR, "delivery", ("deliveries",)),
    Verb("ledger.seal", _LEAD, "ledger"),
    Verb("op.cancel", _OPERATOR, "operation", ("number",)),
    Verb("partner.release", _LEAD, "program", ("program",)),
    Verb("partner.reserve", _LEAD, "program", ("name",)),
    Verb("pickup.failed", _OPERATOR, "place", ("sku", "location")),
    Verb("push.retry", _OPERATOR, "channel", ("channel",)),
    Verb("queue.pause", _OPERATOR, "queue", ("name",)),
    Verb("queue.resume", _OPERATOR, "queue", ("name",)),
    Verb("recon.owner", _LEAD, "debt", ("channel", "cause")),
    Verb("recon.release", _OPERATOR, "place", ("channel", "sku", "location")),
    Verb("recon.run", _OPERATOR, "channel", ("channel",)),
    Verb("review.dismiss", _OPERATOR, "suggestion", ("kind", "name")),
    Verb("review.quarter", _OPERATOR, "review", ("since", "until")),
    Verb("session.login", _VIEWER, "session"),
    Verb("session.logout", _VIEWER, "session"),
    Verb("reorder.import", _LEAD, "file", ("file",)),
    Verb("reorder.set", _LEAD, "terms", ("sku", "supplier")),
    Verb("sku.resync", _OPERATOR, "sku", ("sku",)),
    Verb("stock.adjust", _LEAD, "place", ("sku", "location")),
    Verb("stock.reverse", _LEAD, "event", ("source", "event_id")),
    Verb("supply.expect", _OPERATOR, "supply", ("reference",)),
    Verb("token.create", _ADMIN, "token", ("name",)),
    Verb("token.revoke", _ADMIN, "token", ("name",)),
    Verb("token.rotate", _ADMIN, "token", ("name",)),
)  # fmt: skip

VERBS: Final = {verb.name: verb for verb in _TABLE}


def may(role: Role, verb: str) -> bool:
    """Whether a role reaches for a verb; raises KeyError for a verb that nobody wrote down."""
    return role.covers(VERBS[verb].role)
