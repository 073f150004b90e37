"""What a site file may say but seldom should. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from accounts.site import Site, SiteMeter
from meters.quantity import Quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteFinding:
    """Something that is allowed and costs something."""

    code: str
    """swap-without-note : energy around a swap of meters will be an estimate."""
    text: str
    """A sentence with the thing and the remedy."""


def findings_of(site: Site) -> list[SiteFinding]:
    """Return what is worth a warning, in the file's order."""
    return [
        SiteFinding(
            code="swap-without-note",
            text=(
                f"At point {point.name} of account {account.code}, meter {old.serial}"
                f" gave way to meter {new.serial} without {_lacking(old, new)}: energy"
                " between their readings will be an estimate; enter what the displays"
                " showed, if anybody noted it."
            ),
        )
        for account in site.accounts
        for point in account.points
        for meters in (point.meters, point.check_meters)
        for old, new in _swaps(meters)
        if _lacking(old, new)
    ]


def _swaps(meters: tuple[SiteMeter, ...]) -> Iterator[tuple[SiteMeter, SiteMeter]]:
    return pairwise(sorted(meters, key=lambda meter: meter.installed_at))


def _lacking(old: SiteMeter, new: SiteMeter) -> str:
    """Name the notes of imported energy that are not there."""
    notes = {
        f"the closing reading of {old.serial}": old.closing_counts,
        f"the opening reading of {new.serial}": new.opening_counts,
    }
    without = (n for n, c in notes.items() if Quantity.ENERGY_IMPORT_KWH not in c)
    return " and ".join(without)
