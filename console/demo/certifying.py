"""The go-live test of every channel: read only, approve what the first numbers change, write, sign."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

from console.demo import goods
from console.demo.house import House, now
from console.local.errors import NotReady
from ledger.db import transaction
from workers.flows import certificate as certificates
from workers.flows import certify
from workers.flows.certificate import Certificate

#: Fewer than `lockstep channel certify` does: Amazon takes five writes a second.
EVENTS: Final = 20
_KEY: Final = b"the demo's own key"


def certify_all(house: House) -> str:
    """Certify the accounts side by side; raises NotReady for one that does not pass."""
    with ThreadPoolExecutor(len(goods.PLAYED)) as pool:
        done = list(pool.map(lambda name: _certified(house, name), goods.PLAYED))
    for certificate in done:
        if not certificate.passed:
            wrong = [f"{t.name}: {t.detail}" for t in certificate.tried if not t.passed]
            raise NotReady(f"{certificate.channel} is not certified: {'; '.join(wrong)}")
    events = sum(certificate.events for certificate in done)
    return f"{len(done)} channels certified by {events} writes that were read back"


def _certified(house: House, name: str) -> Certificate:
    bench = certify.Bench(
        engine=house.wiring.engine,
        client=house.wiring.client(name),
        channel=name,
        now=now,
        wait=time.sleep,
        new_key=lambda: str(uuid4()),
        events=EVENTS,
    )
    certificate = certify.write(bench, certify.read_only(bench), by="demo")
    with transaction(house.wiring.engine) as connection:
        certificates.keep(connection, certificate, _KEY)
    return certificate
