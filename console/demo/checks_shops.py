"""Checks of the shops: do they show what they should, was every trouble found, repaired and kept within its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from console.demo.checks_book import said_of
from console.demo.evidence import Check, Evidence, Halted, Row

FOUND_WITHIN_S = 10.0
# A bucket that a storm has emptied stays low for a while; calls refused then belong to it.
_AFTER_STORM_S = 5.0
#: A window that was put off is done within this.
_DISTURBED = timedelta(seconds=30)
#: Refused calls outside the storm that are forgiven: Valkey forgets how much of the limit was used when it is emptied.
_THROTTLED_MOST = 2


def shown_as_should(seen: Evidence) -> Check:
    """Every listing shows its target; one that its shop has deleted is the listed exception."""
    wrong, gone = [], []
    listings = 0
    for row in seen.tables["target"]:
        if row["channel"] not in seen.views:
            continue
        place = (row["sku"], row["vendor_location_id"])
        level = seen.views[row["channel"]].levels.get(place)
        name = f"{row['channel']} {row['sku']} at {row['location']}"
        if level is None and (row["channel"], row["sku"]) == seen.notes.refused:
            gone.append(name)
            continue
        listings += 1
        shows = None if level is None else level["available"]
        if shows != row["units"]:
            wrong.append(f"{name} should show {row['units']}, shows {shows}")
    said = f"{listings} listings show their target; left out: {', '.join(gone) or 'none'}"
    return Check(
        "every shop shows what it should", not wrong and listings > 0, said_of(wrong, said)
    )


def crash_survived(seen: Evidence) -> Check:
    """The worker that was killed runs again under another number, and Valkey was full, then empty."""
    crash = seen.notes.crash
    if crash is None:
        return Check("a killed worker, an emptied Valkey", False, "neither happened")
    back = crash.lives not in (None, crash.died) and crash.restarts >= 1
    emptied = crash.keys_before > 0 and crash.keys_after == 0
    others = {
        name: times for name, times in seen.restarts.items() if times and name != crash.worker
    }
    said = (
        f"{crash.worker} {crash.died} killed, runs as {crash.lives} after {crash.restarts} restart(s);"
        f" Valkey held {crash.keys_before} keys, then {crash.keys_after}"
    )
    if others:
        said += f"; restarted besides: {others}"
    return Check("a killed worker, an emptied Valkey", back and emptied and not others, said)


def swallowed_write_found(seen: Evidence) -> Check:
    """The shop's log shows the write it swallowed, and the one that repaired it, within seconds."""
    name = "a swallowed write is found"
    if seen.notes.swallowed is None:
        return Check(name, False, "no write was swallowed")
    shop, sku = seen.notes.swallowed
    writes = [entry for entry in seen.views[shop].writes if entry["sku"] == sku]
    lost = next((entry for entry in writes if entry.get("swallowed")), None)
    if lost is None:
        return Check(name, False, f"{shop} has swallowed no write of {sku}")
    repair = next(
        (entry for entry in writes if entry["seq"] > lost["seq"] and not entry["swallowed"]), None
    )
    if repair is None:
        return Check(name, False, f"{shop} was never sent {sku} again")
    took_s = (repair["at"] - lost["at"]).total_seconds()
    named = [
        row["cause"] for row in seen.tables["drift"] if (row["channel"], row["sku"]) == (shop, sku)
    ]
    good = took_s <= FOUND_WITHIN_S and "swallowed_update" in named
    said = f"{sku} on {shop}: repaired {took_s:.1f} s after it was swallowed, cause {', '.join(named) or 'none'}"
    return Check(name, good, said)


def refused_row_parked(seen: Evidence) -> Check:
    """The row the shop refuses is set aside with the shop's words; those beside it are shown."""
    name = "a refused row blocks nobody"
    if seen.notes.refused is None:
        return Check(name, False, "no row was refused")
    shop, sku = seen.notes.refused
    parked = [row for row in seen.tables["push_due"] if row["parked"]]
    here = [row for row in parked if (row["channel"], row["sku"]) == (shop, sku)]
    wrong = [
        f"parked besides: {row['channel']} {row['sku']}: {row['error']}"
        for row in parked
        if row not in here
    ]
    if len(here) != 1 or not here[0]["error"]:
        wrong.append(f"{sku} on {shop} is not parked with a reason")
    targets = {row["sku"]: row for row in seen.tables["target"] if row["channel"] == shop}
    for beside in seen.notes.beside_refused:
        target = targets[beside]
        level = seen.views[shop].levels.get((beside, target["vendor_location_id"]))
        if level is None or level["available"] != target["units"]:
            wrong.append(f"{beside} beside it is not shown as {target['units']}")
    said = (
        f"{sku} on {shop} is parked; {len(seen.notes.beside_refused)} others beside it are shown"
        + (f" ({here[0]['error']})" if here else "")
    )
    return Check(name, not wrong, said_of(wrong, said))


def drift_repaired(seen: Evidence) -> Check:
    """Every change was found, in a window or by what the shop told, and closed; the overwritten one has its cause."""
    name = "drift is found, named and repaired"
    wrong: list[str] = []
    told: list[str] = []
    for shop, sku in seen.notes.drifted:
        rows = [row for row in seen.tables["drift"] if (row["channel"], row["sku"]) == (shop, sku)]
        if not rows:
            wrong.append(f"{sku} on {shop} was never found")
            continue
        told.append(
            f"{sku} on {shop} {rows[0]['actual'] - rows[0]['expected']:+d}: {rows[0]['cause']}"
        )
        wrong += [f"{sku} on {shop} is still open" for row in rows if row["resolved_at"] is None]
    if seen.notes.overwritten is None:
        wrong.append("nothing was overwritten")
    elif not any(
        (row["channel"], row["sku"]) == seen.notes.overwritten and row["cause"] == "stale_overwrite"
        for row in seen.tables["drift"]
    ):
        wrong.append(f"{seen.notes.overwritten[1]} has not the cause stale_overwrite")
    said = "; ".join(told)
    return Check(name, not wrong and bool(told), said_of(wrong, said))


def halt_and_back(seen: Evidence) -> Check:
    """The SKU over the threshold was at 0 and not for sale, by rule, read back, and is now exactly as before."""
    name = "a halt is set, proven and lifted"
    halted = seen.notes.halted
    if halted is None:
        return Check(name, False, "nothing was halted")
    rows = [
        row
        for row in seen.tables["halt"]
        if (row["channel"], row["sku"]) == (halted.shop, halted.sku)
    ]
    wrong = list(_not_stopped_and_back(halted))
    if not rows or any(row["confirmed_at"] is None or row["state"] != "lifted" for row in rows):
        wrong.append(f"its row is {rows or 'missing'}")
    elif not rows[0]["reason"]:
        wrong.append("it has no reason")
    said = f"{halted.sku} on {halted.shop}: {rows[0]['reason']}" if rows else ""
    return Check(name, not wrong, said_of(wrong, said))


def hidden_and_back(seen: Evidence) -> Check:
    """The listing that sold out was off sale, and is on sale again exactly as before."""
    name = "a sold out listing is hidden and comes back"
    hidden = seen.notes.hidden
    if hidden is None:
        return Check(name, False, "nothing sold out")
    wrong = list(_not_stopped_and_back(hidden))
    wrong += [
        f"{row['sku']} on {row['channel']} is still hidden"
        for row in seen.tables["hidden"]
        if row["sku"] == hidden.sku
    ]
    policies = ", ".join(at["policy"] for at in (hidden.before, hidden.during, hidden.after))
    said = f"{hidden.sku} on {hidden.shop}: {policies}"
    return Check(name, not wrong, said_of(wrong, said))


def windows_once(seen: Evidence) -> Check:
    """Every window of every shop is there, done by one attempt, though finished ones were rung again."""
    runs = seen.tables["run"]
    done = [row for row in runs if row["state"] == "done"]
    wrong = [
        f"{row['channel']} {row['window_at']:%H:%M:%S} is {row['state']}: {row['error']}"
        for row in runs
        if row["state"] not in ("done", "due", "running")
        and not (row["error"].startswith("Throttled:") and _was_disturbed(seen, row))
    ]
    wrong += [
        f"{row['channel']} {row['window_at']:%H:%M:%S} took {row['attempts']} attempts"
        for row in done
        if row["attempts"] != 1 and not _was_disturbed(seen, row)
    ]
    wrong += _done_again(seen)
    rung = len(seen.notes.repeated_windows)
    if not rung:
        wrong.append("no window was rung again")
    said = (
        f"{len(done)} windows, each by one attempt; {rung} finished ones rung again were left alone"
    )
    return Check("no window runs twice", not wrong and bool(done), said_of(wrong, said))


def rates_kept(seen: Evidence) -> Check:
    """The shops refused no call for coming too fast, but for the storm that was made."""
    wrong: list[str] = []
    calls = stormy = outside = 0
    for shop, view in seen.views.items():
        for entry in view.calls:
            calls += 1
            if entry.get("outcome") == "throttled":
                if _in_storm(seen, shop, entry["at"]):
                    stormy += 1
                else:
                    outside += 1
    if outside > _THROTTLED_MOST:
        wrong.append(f"{outside} of {calls} calls were refused for coming too fast")
    if not stormy:
        wrong.append("the storm has refused no call")
    said = f"{calls} calls, {stormy} refused in the storm, {outside} outside of it"
    return Check("no vendor's limit is exceeded", not wrong, said_of(wrong, said))


def flower_guarded(seen: Evidence) -> Check:
    """Flower wants its password and takes it."""
    told = seen.notes.flower
    said = "not asked" if told is None else f"{told[0]} without the password, {told[1]} with it"
    return Check("Flower is behind a password", told == (401, 200), said)


def _not_stopped_and_back(about: Halted) -> Iterator[str]:
    if about.before["policy"] != "CONTINUE":
        yield f"it was {about.before['policy']} before, which proves nothing"
    if (about.during["policy"], about.during["available"]) != ("DENY", 0):
        yield f"stopped it showed {about.during['available']} as {about.during['policy']}"
    if about.after["policy"] != about.before["policy"]:
        yield f"it came back as {about.after['policy']}"


def _was_disturbed(seen: Evidence, run: Row) -> bool:
    """Whether the crash, a storm or the certificates fell into a window: it may be put off then, beyond its end too."""
    ends = run["window_at"] + _DISTURBED
    crash, at_amazon = seen.notes.crash, seen.notes.lanes.storm
    shot = crash is not None and run["window_at"] <= crash.at <= ends
    storms = [storm for storm in (seen.notes.storm, at_amazon and ("amazon", *at_amazon)) if storm]
    if seen.notes.certifying is not None:
        storms.append((run["channel"], *seen.notes.certifying))
    throttled = any(
        channel == run["channel"] and run["window_at"] <= ended and begun <= ends
        for channel, begun, ended in storms
    )
    return shot or throttled


def _done_again(seen: Evidence) -> Iterator[str]:
    """Windows that were finished when they were rung again, and have another end now."""
    ends = {(row["channel"], row["window_at"]): row["finished_at"] for row in seen.tables["run"]}
    for channel, window_at, finished_at in seen.notes.repeated_windows:
        if ends.get((channel, window_at)) != finished_at:
            yield f"{channel} {window_at:%H:%M:%S} was done again"


def _in_storm(seen: Evidence, shop: str, at: datetime) -> bool:
    if seen.notes.storm is None or seen.notes.storm[0] != shop:
        return False
    _, begun, ended = seen.notes.storm
    return begun <= at <= ended + timedelta(seconds=_AFTER_STORM_S)
