"""Which meters of a site file cannot stand beside each other. Pure.

What is refused raises ValueError, as a form's validator does: a sentence without its
full stop.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from accounts.connection import MqttConnection
from accounts.site_meter import SiteMeter


def by_address(meters: Iterable[SiteMeter]) -> dict[str, list[SiteMeter]]:
    """Return who is asked at each address."""
    found: dict[str, list[SiteMeter]] = {}
    for meter in meters:
        to = meter.connection
        if not isinstance(to, MqttConnection):
            found.setdefault(f"{to.place}/{to.unit}", []).append(meter)
    return found


def refuse_two_manners(meters: Iterable[SiteMeter]) -> None:
    """All meters of one bus are spoken to in one way."""
    first: dict[str, tuple[str, str]] = {}
    for meter in meters:
        to = meter.connection
        if isinstance(to, MqttConnection):
            continue
        serial, manner = first.setdefault(to.place, (meter.serial, to.manner))
        if manner != to.manner:
            raise ValueError(
                f"meter {meter.serial} is asked {to.manner} at {to.place},"
                f" but meter {serial} {manner}; all meters there need the same"
            )


def refuse_two_of_one_serial(meters: Iterable[SiteMeter]) -> None:
    """Let a meter move: its serial may be there again, for another time."""
    by_serial: dict[str, list[SiteMeter]] = {}
    for meter in meters:
        by_serial.setdefault(meter.serial, []).append(meter)
    for serial, entries in by_serial.items():
        first = entries[0]
        known = (first.profile, first.connection)
        if any((other.profile, other.connection) != known for other in entries):
            raise ValueError(
                f"meter {serial} is entered with two profiles or connections;"
                " a meter that moved has its present ones in every entry"
            )
        if next(_overlaps(entries), None):
            raise ValueError(
                f"meter {serial} is in two places at one time;"
                " give it an earlier removed_at where it was first"
            )


def refuse_overlap(meters: Iterable[SiteMeter], where: str) -> None:
    """Where there is place for one meter, the next comes when the one before left."""
    for earlier, later in _overlaps(meters):
        raise ValueError(
            f"meter {earlier.serial} is still {where} when {later.serial} comes;"
            " give it an earlier removed_at"
        )


def _overlaps(meters: Iterable[SiteMeter]) -> Iterator[tuple[SiteMeter, SiteMeter]]:
    by_time = sorted(meters, key=lambda meter: meter.installed_at)
    for earlier, later in pairwise(by_time):
        if earlier.removed_at is None or earlier.removed_at > later.installed_at:
            yield earlier, later
