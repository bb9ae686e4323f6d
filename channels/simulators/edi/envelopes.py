"""Whether an interchange's envelopes hold: names, control numbers, counts."""

from __future__ import annotations

from channels.simulators.edi.x12 import GROUP_OF, Group, Interchange, Set, Way, element


def of_interchange(found: Interchange, way: Way) -> list[str]:
    """What is wrong with ISA and IEA, in words. `way` is how the merchant should have addressed it."""
    wrong = []
    expected = (
        ("ISA05", found.at(5), way.sender.qualifier),
        ("ISA06", found.at(6), way.sender.id),
        ("ISA07", found.at(7), way.receiver.qualifier),
        ("ISA08", found.at(8), way.receiver.id),
        ("ISA12", found.at(12), "00501" if way.version.startswith("005") else "00401"),
        ("ISA15", found.at(15), way.usage),
    )
    wrong += [f"{name} is {is_!r}, not {ought!r}" for name, is_, ought in expected if is_ != ought]
    if not (len(found.at(13)) == 9 and found.at(13).isdigit()):
        wrong.append(f"ISA13 {found.at(13)!r} has no nine digits")
    if found.trailer is None:
        return [*wrong, "the IEA is missing"]
    if element(found.trailer, 2) != found.at(13):
        wrong.append(f"IEA02 {element(found.trailer, 2)!r} is not ISA13 {found.at(13)!r}")
    if element(found.trailer, 1) != str(len(found.groups)):
        wrong.append(
            f"IEA01 {element(found.trailer, 1)!r} is not the number of groups, {len(found.groups)}"
        )
    wrong += [
        f"{segment[0] or 'text'} stands outside of a set"
        for segment in found.loose
        if segment[0] != "TA1"
    ]
    if not found.groups and not any(segment[0] == "TA1" for segment in found.loose):
        wrong.append("there is nothing in it")
    return wrong  # fmt: skip


def of_group(group: Group, way: Way) -> list[str]:
    """What is wrong with GS and GE, in words."""
    wrong = []
    for name, place, ought in (
        ("GS02", 2, way.sender.group_id),
        ("GS03", 3, way.receiver.group_id),
    ):
        if group.at(place) != ought:
            wrong.append(f"{name} is {group.at(place)!r}, not {ought!r}")
    if not group.at(8).startswith(way.version):
        wrong.append(f"GS08 is {group.at(8)!r}, not {way.version}")
    if not (len(group.at(4)) == 8 and group.at(4).isdigit()):
        wrong.append(f"GS04 {group.at(4)!r} is no date CCYYMMDD")
    wrong += [
        f"a {one.id} stands in a group {group.at(1)}"
        for one in group.sets
        if GROUP_OF.get(one.id) != group.at(1)
    ]
    if group.trailer is None:
        return [*wrong, "the GE is missing"]
    if element(group.trailer, 2) != group.at(6):
        wrong.append(f"GE02 {element(group.trailer, 2)!r} is not GS06 {group.at(6)!r}")
    if element(group.trailer, 1) != str(len(group.sets)):
        wrong.append(
            f"GE01 {element(group.trailer, 1)!r} is not the number of sets, {len(group.sets)}"
        )
    return wrong  # fmt: skip


def of_set(one: Set, before: set[str]) -> list[tuple[str, str]]:
    """What is wrong with ST and SE: (AK502, words). `before` are the control numbers used already in the group."""
    wrong = []
    if not 4 <= len(one.control) <= 9:
        wrong.append(("6", f"ST02 {one.control!r} has no 4 to 9 characters"))
    if one.control in before:
        wrong.append(("23", f"ST02 {one.control!r} is used twice in its group"))
    if one.trailer is None:
        return [*wrong, ("2", "the SE is missing")]
    if element(one.trailer, 2) != one.control:
        wrong.append(("3", f"SE02 {element(one.trailer, 2)!r} is not ST02 {one.control!r}"))
    if element(one.trailer, 1) != str(len(one.segments) + 2):
        wrong.append(
            (
                "4",
                f"SE01 {element(one.trailer, 1)!r} is not the number of segments, {len(one.segments) + 2}",
            )
        )
    return wrong  # fmt: skip
