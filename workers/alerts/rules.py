"""The rules: each with what it means, how bad it is, and the commands to begin with; its page is in docs/runbooks/.

What a rule finds is in `looks.py`; rules of others (programs, weights) write their alarms themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workers.alerts.types import Rule, Severity

_RULES: Final = (
    Rule(
        name="stock.low",
        title="Stock runs out soon",
        severity=Severity.WARNING,
        impact="customers find it sold out before more is there; nothing is oversold",
        line="{sku}  {available} left · {per_day} a day · {cover_days} days · {tier}",
        next=("lockstep sku show {sku}", "lockstep sku atp {sku}", "lockstep pace {sku}"),
        calm_s=0,
        every_s=60,
    ),
    Rule(
        name="drift.open",
        title="A channel shows another number than it should",
        severity=Severity.ERROR,
        impact="up to {units} units can be oversold",
        line="{sku} at {location}  should {expected} · shows {actual} · Δ {delta} ({percent} %) · {cause} · {action}",
        next=(
            "lockstep sku explain {sku} --channel {channel} --location {location}",
            "lockstep recon drift",
        ),
        calm_s=0,
    ),
    Rule(
        name="halt.standing",
        title="Sales are stopped",
        severity=Severity.WARNING,
        impact="customers cannot buy what is halted there; nothing is oversold",
        line="{sku}  off sale since {set_at} · {reason}",
        next=("lockstep halt list --channel {channel}",),
        calm_s=0,
    ),
    Rule(
        name="halt.stuck",
        title="A halt is not carried out",
        severity=Severity.CRITICAL,
        impact="what should be off sale is still sold, or the other way round",
        line="{sku}  {state} since {set_at} · {tries} tries · {error}",
        next=("lockstep halt list --channel {channel}", "lockstep channel test {channel}"),
        calm_s=0,
    ),
    Rule(
        name="missed_window",
        title="A window of reconciliation was missed",
        severity=Severity.ERROR,
        impact="nothing of this channel was compared: a drift lives until the next window",
        line="{channel}  window {window_at} · {missed} in a row · {why}",
        next=("lockstep recon status", "lockstep recon run {channel}"),
    ),
    Rule(
        name="overrun_window",
        title="Reconciliation is late",
        severity=Severity.WARNING,
        impact="what the channel shows is compared less often than every window",
        line="{channel}  window {window_at} · at work {after_s} s after its begin · {state}",
        next=("lockstep recon status", "lockstep channel list"),
    ),
    Rule(
        name="job.missed",
        title="What the clock asks for was not done",
        severity=Severity.WARNING,
        impact="orders that no call told of, or what a vendor changed, are not heard of",
        line="{job} of {channel}  {state} · window {window_at} · {in_a_row} in a row · {error}",
        next=("lockstep channel test {channel}", "lockstep channel list"),
        calm_s=0,
    ),
    Rule(
        name="mapping",
        title="A listing is bound to the wrong thing",
        severity=Severity.ERROR,
        impact="its numbers are those of another SKU or pack: nothing is pushed for it until it is mended",
        line="{sku} at {location}  should {expected} · shows {actual} · {cause} · {hint}",
        next=("lockstep channel map {channel} --dry-run", "lockstep recon drift"),
    ),
    Rule(
        name="quarantine",
        title="A place drifts whatever we do",
        severity=Severity.ERROR,
        impact="it is not repaired any more: what it shows is not ours",
        line="{sku} at {location}  should {expected} · shows {actual} · {cause}",
        next=("lockstep recon drift", "lockstep push parked --channel {channel}"),
    ),
    Rule(
        name="push.stuck",
        title="Numbers wait to be shown",
        severity=Severity.WARNING,
        impact="the channel shows older numbers; {units} of them should be lower",
        line="{channel}  {waiting} numbers wait, the oldest for {age_s} s · {error}",
        next=("lockstep channel list", "lockstep channel test {channel}"),
    ),
    Rule(
        name="push.parked",
        title="A channel refuses numbers",
        severity=Severity.WARNING,
        impact="the channel keeps showing the older number of these listings",
        line="{sku} at {location}  should show {should} · {error}",
        next=("lockstep push parked --channel {channel}",),
        calm_s=0,
    ),
    Rule(
        name="inbox.stuck",
        title="Deliveries wait to be booked",
        severity=Severity.CRITICAL,
        impact="sales are not in the book, so that every channel shows too much",
        line="{waiting} deliveries wait, the oldest for {age_s} s",
        next=("lockstep inbox list --state pending", "lockstep ledger verify"),
        calm_s=30,
    ),
    Rule(
        name="inbox.parked",
        title="Deliveries cannot be booked",
        severity=Severity.WARNING,
        impact="what they tell is not in the book: a sale of it can be oversold",
        line="{source}  {parked} deliveries · {error}",
        next=("lockstep inbox list --source {source}",),
        calm_s=0,
    ),
    Rule(
        name="work.failed",
        title="Work has failed for good",
        severity=Severity.WARNING,
        impact="what failed is not done until somebody mends the cause and does it again",
        line="{failed} of class {class} on {channel}, the oldest since {since} · {error}",
        next=("lockstep failed list --channel {channel}",),
        calm_s=0,
        every_s=30,
    ),
    Rule(
        name="queue.silent",
        title="A queue does not move",
        severity=Severity.ERROR,
        impact="what this queue does is not done: numbers, orders or checks wait",
        line="{queue}  silent for {age_s} s · last worker {worker}",
        next=("lockstep worker --name {queue} --queues {queue}",),
        calm_s=30,
    ),
    Rule(
        name="clock.differs",
        title="A machine's clock is wrong",
        severity=Severity.WARNING,
        impact="none while the database's clock is right, which counts instead; that machine's logs say a wrong time",
        line="{process}  {ahead_s} s ahead of the database's (below zero: behind)",
        next=("lockstep alert list --alarms --rule clock.differs",),
        calm_s=30,
    ),
    Rule(
        name="channel.paused",
        title="A channel is paused",
        severity=Severity.ERROR,
        impact="the channel shows older numbers and can be oversold",
        line="{channel}  by {by} · {why}",
        next=("lockstep channel test {channel}", "lockstep channel resume {channel}"),
        calm_s=0,
    ),
    Rule(
        name="edi.overdue",
        title="A partner has not acknowledged",
        severity=Severity.WARNING,
        impact="the partner may not have our answer, and order again or charge back",
        line="{set_id} {set_control} (document {document}), due {due_at} · {error}",
        next=("lockstep edi status", "lockstep edi resend {document}"),
        calm_s=0,
    ),
    Rule(
        name="capture.late",
        title="Orders are booked late",
        severity=Severity.ERROR,
        impact="for so long other channels sell what is gone",
        line="{channel}  {late} of {orders} orders of the last 15 min later than {limit_s} s, the worst {worst_s} s",
        next=("lockstep lag", "lockstep channel list"),
        calm_s=60,
        every_s=30,
    ),
    Rule(
        name="subscription.unseen",
        title="A channel does not call us",
        severity=Severity.WARNING,
        impact="orders are heard of only by the poll, minutes late",
        line="{channel}  {why}",
        next=("lockstep channel test {channel}",),
        calm_s=0,
        every_s=60,
    ),
    Rule(
        name="rise.blocked",
        title="A rise is held back",
        severity=Severity.WARNING,
        impact="elsewhere customers see less than there is; {units} units are shown where they should not be",
        line="{sku}  held since {held_since} · {by}",
        next=("lockstep sku show {sku}", "lockstep lag"),
    ),
    Rule(
        name="count.variance",
        title="A count differs by much",
        severity=Severity.WARNING,
        impact="units that are not there may have been sold; pick-up is lowered until it is counted again",
        line="{sku} at {location}  counted {counted} · book {book} · {variance} ({percent} %) · {reason}",
        next=("lockstep count orders",),
    ),
    Rule(
        name="count.cusum",
        title="Small losses add up",
        severity=Severity.WARNING,
        impact="each count was within its tolerance, and together they are no chance: stock is lost",
        line="{sku} at {location}  {units} units in {samples} counts since {run_since}",
        next=("lockstep count orders",),
    ),
    Rule(
        name="count.bad",
        title="Too many counts of a location are wrong",
        severity=Severity.WARNING,
        impact="the book of this location is not to be trusted for scarce stock",
        line="{out_of_tolerance} of {counted} counts are out of tolerance",
    ),
    Rule(
        name="oversold.line",
        title="An order line cannot be kept",
        severity=Severity.WARNING,
        impact="a customer was promised what is not there",
        line="order {order} of {channel}  {units} of {sku} at {location} · {cause} · {response} · {todo}",
        next=("lockstep case show {case}", "lockstep sku atp {sku}"),
    ),
    Rule(
        name="program.pace",
        title="A partner's program is used up early",
        severity=Severity.WARNING,
        impact="the partner's later orders find nothing reserved",
        next=("lockstep partner list",),
    ),
    Rule(
        name="program.over",
        title="A program is over and holds units",
        severity=Severity.INFO,
        impact="nobody can buy the units that are left in it",
        next=("lockstep partner list",),
    ),
    Rule(
        name="alloc.fit",
        title="A channel's weight has left its demand",
        severity=Severity.INFO,
        impact="one channel sells out while another has units left",
        next=("lockstep alloc fit",),
    ),
)

#: rule -> what is known of it.
RULES: Final[Mapping[str, Rule]] = {rule.name: rule for rule in _RULES}


def rule_of(name: str) -> Rule:
    """A rule by its name; one that nobody described is told all the same."""
    known = RULES.get(name)
    if known is not None:
        return known
    return Rule(name, name, Severity.WARNING, "not described", next=("lockstep alarm list",))


class _Said(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "-"


def filled(template: str, detail: Mapping[str, Any]) -> str:
    """A template of a rule with what is known; `-` for what is not."""
    known = {name: value for name, value in detail.items() if value not in (None, "")}
    return template.format_map(_Said(known))


def line_of(rule: Rule, object: str, detail: Mapping[str, Any]) -> str:
    """One alarm in words."""
    if rule.line:
        return filled(rule.line, detail)
    left_out = ("next", "rank", "impact_units")
    facts = ", ".join(
        f"{name} {value}"
        for name, value in detail.items()
        if value is not None and name not in left_out
    )
    return f"{object.partition(':')[2] or object}  {facts}"


def commands_of(rule: Rule, detail: Mapping[str, Any]) -> list[str]:
    """The commands to begin with; one whose place is not known is left out."""
    known = {name for name, value in detail.items() if value not in (None, "")}
    said = [
        filled(command, detail)
        for command in rule.next
        if {part.partition("}")[0] for part in command.split("{")[1:]} <= known
    ]
    own = [part.strip() for part in str(detail.get("next", "")).split(";")]
    return list(dict.fromkeys([*(part for part in own if part.startswith("lockstep ")), *said]))
