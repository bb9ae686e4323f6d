"""Kind of channel -> its lane: one dictionary, the only place that knows all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from channels.amazon.lane import LANE as AMAZON
from channels.edi.lane import LANE as EDI
from channels.lane import Lane
from channels.shopify.lane import LANE as SHOPIFY
from channels.square.lane import LANE as SQUARE

LANES: Final[Mapping[str, Lane]] = {lane.kind: lane for lane in (SHOPIFY, AMAZON, SQUARE, EDI)}
