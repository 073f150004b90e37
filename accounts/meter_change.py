"""What becomes of one meter of a list. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from accounts.meter_entry import Entry


class What(StrEnum):
    """What becomes of one line, or of a meter that is not listed."""

    ADDED = "added"
    MOVED = "moved"
    """To another point, or to another address."""
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One meter at one point, before and after."""

    what: What
    serial: str
    line: int
    """0 where it is not listed."""
    before: Entry | None
    after: Entry | None


def what_becomes(before: Entry | None, after: Entry) -> What:
    """Name what a line does to what was there before it."""
    if before is None:
        return What.ADDED
    if (before.place, before.address) != (after.place, after.address):
        return What.MOVED
    if before.terms != after.terms and before.removed_at is None and after.removed_at:
        return What.REMOVED
    same = before.terms == after.terms and before.particulars == after.particulars
    same = same and before.installed_at == after.installed_at
    return What.UNCHANGED if same else What.CHANGED
