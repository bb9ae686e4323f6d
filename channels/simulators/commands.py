"""Operations every control plane has: faults, time, the log, starting again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from channels.simulators.clock import Clock
from channels.simulators.events import EventLog
from channels.simulators.faults import KINDS, Faults
from channels.simulators.server import BadRequest, Verb

Facts = Mapping[str, Any]

_FAULT_FACTS = (
    "rate",
    "count",
    "seed",
    "sku",
    "topic",
    "operation",
    "seconds",
    "status",
    "units",
    "other",
    "retry_after_s",
)


class Simulated(Protocol):
    """What a simulator must have to be commanded."""

    clock: Clock
    faults: Faults
    log: EventLog

    def reset(self) -> None: ...


class Commands:
    """The operations of one simulator, by name."""

    def __init__(self, simulator: Simulated) -> None:
        self._simulator = simulator

    def verbs(self) -> dict[str, Verb]:
        """Every operation here."""
        return {
            "fault": self._fault,
            "faults": self._faults,
            "clear_faults": self._clear_faults,
            "advance": self._advance,
            "events": self._events,
            "reset": self._reset,
        }

    def _fault(self, facts: Facts) -> object:
        """kind, rate?, count?, seed?, sku?, topic?, operation?, seconds?, status?, units?, other?, retry_after_s?"""
        chosen = {name: facts[name] for name in _FAULT_FACTS if facts.get(name) is not None}
        now = self._simulator.clock.now()
        return self._simulator.faults.set(str(facts["kind"]), now=now, **chosen).as_json()

    def _faults(self, _: Facts) -> object:
        faults = [fault.as_json() for fault in self._simulator.faults.all()]
        return {"faults": faults, "kinds": KINDS}

    def _clear_faults(self, facts: Facts) -> object:
        """kind?, id?"""
        number = facts.get("id")
        chosen = int(number) if number is not None else None
        return {"cleared": self._simulator.faults.clear(facts.get("kind"), chosen)}

    def _advance(self, facts: Facts) -> object:
        """seconds"""
        return {"now": self._simulator.clock.advance(float(facts["seconds"])).isoformat()}

    def _events(self, facts: Facts) -> object:
        """since?, kind?, limit?"""
        limit = facts.get("limit")
        entries = self._simulator.log.since(
            int(facts.get("since", 0)), facts.get("kind"), int(limit) if limit is not None else None
        )
        return {"events": [entry.as_json() for entry in entries]}

    def _reset(self, _: Facts) -> object:
        self._simulator.reset()
        return {"reset": True}


def units_of(given: Facts) -> int:
    """The whole number under `units`. Raises BadRequest."""
    units = given["units"]
    if not isinstance(units, int) or isinstance(units, bool):
        raise BadRequest("units is a whole number")
    return units
