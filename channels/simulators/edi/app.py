"""The partner's HTTP face: nothing but the control plane, for its mail goes through the mailbox."""

from __future__ import annotations

from starlette.applications import Starlette

from channels.simulators.edi.control import Control
from channels.simulators.edi.partner import Refused, Unknown
from channels.simulators.edi.simulator import EdiSimulator
from channels.simulators.faults import UnknownFault
from channels.simulators.server import control_routes


def make_app(simulator: EdiSimulator) -> Starlette:
    """The ASGI app of one partner."""
    statuses: dict[type[Exception], int] = {Unknown: 404, Refused: 409, UnknownFault: 400}
    verbs = Control(simulator).verbs()
    return Starlette(routes=control_routes(verbs, simulator.control_token, statuses))
