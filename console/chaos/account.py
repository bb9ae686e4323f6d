"""One account of a schedule at one vendor: what all vendors of the house have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from requests.models import PreparedRequest
from starlette.applications import Starlette

from channels.base import Binding, Channel
from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.events import EventLog
from channels.simulators.faults import Faults


class Simulated(Protocol):
    """What all simulators have."""

    clock: Clock
    log: EventLog
    faults: Faults
    agenda: Agenda


@dataclass(frozen=True, slots=True)
class Account:
    """One account of ours at a vendor.

    base_url   where its API answers, in this process
    secrets    as the settings name them
    do         (verb, **facts) -> an act of its control plane
    places     location of ours -> the vendor's
    levels     units that buyers see, by SKU and location of ours
    listen     (topics, address) -> it tells that address of these from now on
    options    of its channel in the rule file
    ships      the act by which an order leaves;  named: what an order's name is called
    gives_back    what is cancelled is on sale again, whatever anybody says
    limit      operation -> (what is limited with it, seconds in which all that is allowed of it comes back)
    asks       a call -> units it asks to be shown, by SKU and location, where they are shown some time later only
    listed     what it sells, where it cannot be asked;  shelves: of its mailbox, where there is one
    faults     kinds of fault that it knows; None: all
    made       our client -> the same, set to what this account is to try
    """

    name: str
    kind: str
    base_url: str
    simulator: Simulated
    app: Starlette
    secrets: Mapping[str, str]
    webhook_secret: str
    do: Callable[..., Any]
    places: Mapping[str, str]
    levels: Callable[[], dict[tuple[str, str], int]]
    listen: Callable[[Iterable[str], str], None]
    options: Mapping[str, str] = field(default_factory=dict)
    ships: str = "fulfil"
    named: str = "id"
    gives_back: bool = False
    limit: Callable[[str], tuple[str, float]] = lambda _: ("", 0.0)
    asks: Callable[[PreparedRequest], Mapping[tuple[str, str], int]] = lambda _: {}
    listed: tuple[Binding, ...] = ()
    shelves: Any = None
    faults: tuple[str, ...] | None = None
    made: Callable[[Channel], Channel] = lambda client: client

    def nearest(self, place: str) -> str:
        """The place, where the account serves it; else the first that it does."""
        return place if place in self.places else next(iter(self.places))

    @property
    def hook(self) -> str:
        """Where its notifications go."""
        return f"http://relay.chaos/hooks/{self.name}"


def by_verb(
    verbs: Mapping[str, Callable[[Mapping[str, Any]], Any]], verb: str, **facts: Any
) -> Any:
    """An act of a control plane, by its name."""
    return verbs[verb](facts)
