"""What partners' folders and documents alone need of a process: a visit, and the work on what lay there."""

from __future__ import annotations

from contextlib import closing

import structlog

from workers.flows import edi_exchange, edi_fill, edi_work
from workers.wiring import Wiring

log = structlog.get_logger("workers.wholesale")


def exchange(house: Wiring, channel: str) -> None:
    """Visit a partner's folder; what is refused, or why the visit ended, is told."""
    partner, box = house.mailbox(channel)
    with closing(box):
        report = edi_exchange.visit(house.engine, partner, box, now=house.now)
    for refused in report.refused:
        log.warning("edi.file.refused", channel=channel, why=refused)
    if report.stopped:
        log.warning("edi.visit.stopped", channel=channel, why=report.stopped)


def work_orders(house: Wiring) -> set[str]:
    """Work interchanges, then what was promised for later; returns the partners for whom something is posted."""
    done = edi_work.work(house.house, now=house.now())
    for each in done:
        log.info(
            "edi.interchange.worked",
            channel=each.partner,
            control=each.control,
            applied=each.applied,
            trouble=each.trouble,
        )
    filled = edi_fill.fill(house.house, now=house.now())
    for order in filled:
        log.info("edi.order.filled", channel=order.partner, order=order.number, units=order.units)
    return {each.partner for each in done} | {order.partner for order in filled}
