"""What a meter list changes, worked out before anything is written. Pure.

The list says what its meters are and where they sit. A meter that is listed at another
point, from a later time on, has left the point where it was. What is stored of meters
that are not listed stays, unless they are to be removed.
"""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from accounts.meter_change import Change, What, what_becomes
from accounts.meter_clash import refuse_clashes
from accounts.meter_entry import Entry, Refused

_MOST_GUESSES = 20
"""What was meant is looked for among all names: not for thousands of lines."""

Sittings = dict[datetime, Entry]
"""What is known of one meter, by `installed_at`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the database holds of meters, and where meters can be."""

    points: Mapping[str, Collection[str]]
    """Names of the points, by the account's code."""
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to write, what that means line by line, and what is refused."""

    changes: tuple[Change, ...]
    refused: tuple[Refused, ...]
    before: Mapping[str, Sittings]
    """Of the meters that are touched, by serial."""
    after: Mapping[str, Sittings]
    removal_held: bool
    """Nothing was removed, since a line was refused that may be of any meter."""

    def count(self, what: What) -> int:
        """Return to how many meters that happens."""
        return sum(change.what is what for change in self.changes)


def plan(
    lines: Sequence[Entry],
    stored: Stored,
    now: datetime,
    *,
    unread: Sequence[Refused] = (),
    remove_missing: bool = False,
) -> Plan:
    """Work out what a list changes.

    Parameters
    ----------
    lines : sequence of Entry
        In the order of the list; each is right by itself.
    stored : Stored
    now : datetime
        When a meter that is missing leaves, if nothing else says when.
    unread : sequence of Refused
        Lines that are refused already. Their meters do not count as missing; where it
        cannot be told which one is meant, none does.
    remove_missing : bool
        Whether meters that are not listed leave the accounts that are.

    """
    planning = _Planning(stored, now)
    lines = [planning.with_notes(line) for line in lines]
    refused = [*unread, *planning.refuse_strange_places(lines)]
    is_clear = all(one.serial in planning.of_serial for one in unread)
    missing: set[str] = set()
    if remove_missing and is_clear:
        listed = {one.serial for one in unread} | {line.serial for line in lines}
        missing = planning.missing(listed, {line.account for line in lines})
    standing, after, removed, faults = planning.settle(
        _without(lines, refused), missing
    )
    after = {**after, **removed}
    return Plan(
        changes=planning.changes(standing, after, removed),
        refused=tuple(sorted([*refused, *faults], key=lambda one: one.line)),
        before={serial: planning.of_serial[serial] for serial in after},
        after=after,
        removal_held=remove_missing and not is_clear,
    )


def _without(lines: Iterable[Entry], refused: Iterable[Refused]) -> list[Entry]:
    gone = {one.line for one in refused}
    return [line for line in lines if line.line not in gone]


class _Planning:
    """What is stored, laid out for asking."""

    def __init__(self, stored: Stored, now: datetime) -> None:
        self._points, self._now = stored.points, now
        self.of_serial: dict[str, Sittings] = defaultdict(dict)
        for entry in stored.entries:
            self.of_serial[entry.serial][entry.installed_at] = entry

    def with_notes(self, line: Entry) -> Entry:
        """Let a line that does not say what the displays showed say what is known."""
        there = self.of_serial.get(line.serial, {}).get(line.installed_at)
        if line.says_notes or there is None or there.place != line.place:
            return line
        known = (there.opening, there.closing)
        if known == (line.opening, line.closing):
            return line
        return replace(line, opening=there.opening, closing=there.closing)

    def refuse_strange_places(self, lines: Iterable[Entry]) -> list[Refused]:
        """Refuse lines whose account is not there, or whose point may not be made."""
        refused: list[Refused] = []
        for line in lines:
            guess = len(refused) < _MOST_GUESSES
            fault = self._fault_in_place(line, guess=guess)
            if fault is not None:
                column, text = fault
                refused.append(_refused(line, column, text))
        return refused

    def _fault_in_place(self, line: Entry, *, guess: bool) -> tuple[str, str] | None:
        points = self._points.get(line.account)
        if points is None:
            meant = _meant(line.account, self._points) if guess else ""
            return "account", (
                f"no account is called {line.account}{meant}; a site file enters it."
            )
        if line.point in points or line.new_point:
            return None
        meant = _meant(line.point, points) if guess else ""
        return "point", (
            f"account {line.account} has no point {line.point}{meant}; where it is new,"
            " say yes in the column new_point."
        )

    def missing(
        self, listed: Collection[str | None], accounts: Collection[str]
    ) -> set[str]:
        """Return the meters of some accounts that are there and not listed."""
        return {
            serial
            for serial, sittings in self.of_serial.items()
            if serial not in listed
            for entry in sittings.values()
            if entry.account in accounts and entry.there_after(self._now)
        }

    def settle(
        self, lines: list[Entry], missing: Iterable[str]
    ) -> tuple[list[Entry], dict[str, Sittings], dict[str, Sittings], list[Refused]]:
        """Return the lines that stand, what is after them, who left, who is refused."""
        refused: list[Refused] = []
        while True:
            after, faults = self.merge(lines)
            removed = self.remove(missing, lines)
            faults = faults or self.clashes(lines, after, removed)
            if not faults:
                return lines, after, removed, refused
            # Without them more of what is stored stays, which others may now meet.
            refused += faults
            lines = _without(lines, faults)

    def merge(
        self, lines: Iterable[Entry]
    ) -> tuple[dict[str, Sittings], list[Refused]]:
        """Return what is known of each listed meter after the list, by serial."""
        after: dict[str, Sittings] = {}
        refused: dict[int, Refused] = {}
        for line in sorted(lines, key=lambda line: line.installed_at):
            sittings = after.get(line.serial)
            if sittings is None:
                sittings = after[line.serial] = dict(
                    self.of_serial.get(line.serial, {})
                )
            for other in list(sittings.values()):
                if other.line or not other.overlaps(line):
                    continue
                if other.installed_at < line.installed_at:
                    ended = replace(other, removed_at=line.installed_at)
                    sittings[other.installed_at] = ended
                elif other.installed_at == line.installed_at or (
                    other.place == line.place
                ):
                    del sittings[other.installed_at]
                else:
                    fault = _refused(line, "installed_at", _later(other))
                    refused[line.line] = fault
            sittings[line.installed_at] = line
        faults = list(refused.values())
        return after, faults or self._refuse_early_addresses(after)

    def _refuse_early_addresses(self, after: Mapping[str, Sittings]) -> list[Refused]:
        """Refuse lines that would have a meter asked where it is not now.

        A meter has one address at a time: what a line of its past or of its future says
        would hold at once.
        """
        found: dict[int, Refused] = {}
        for sittings in after.values():
            lines = [entry for entry in sittings.values() if entry.line]
            for entry in sittings.values():
                if entry.line or not entry.there_after(self._now):
                    continue
                for one in lines:
                    if one.address != entry.address:
                        fault = _refused(one, "installed_at", _early(entry))
                        found[one.line] = fault
        return list(found.values())

    def remove(
        self, missing: Iterable[str], lines: Iterable[Entry]
    ) -> dict[str, Sittings]:
        """Return what is known of each missing meter once it has left."""
        coming: dict[Hashable, list[datetime]] = defaultdict(list)
        for line in lines:
            coming[line.seat].append(line.installed_at)
            if line.address is not None:
                coming[line.address].append(line.installed_at)
        after = {}
        for serial in missing:
            after[serial] = sittings = dict(self.of_serial[serial])
            for entry in list(sittings.values()):
                if entry.installed_at >= self._now:
                    del sittings[entry.installed_at]
                elif entry.there_after(self._now):
                    end = self._end(entry, coming[entry.seat] + coming[entry.address])
                    sittings[entry.installed_at] = replace(entry, removed_at=end)
        return after

    def _end(self, entry: Entry, coming: Iterable[datetime]) -> datetime:
        """Return when another came to its place, or that it leaves just now."""
        came = (at for at in coming if entry.installed_at < at <= self._now)
        return min(came, default=self._now)

    def clashes(
        self,
        lines: Iterable[Entry],
        after: Mapping[str, Sittings],
        removed: Mapping[str, Sittings],
    ) -> list[Refused]:
        """Refuse lines that cannot stand beside each other or what stays stored."""
        fixed = [
            entry
            for serial, sittings in self.of_serial.items()
            if serial not in after
            for entry in removed.get(serial, sittings).values()
        ]
        fixed += [
            entry
            for sittings in after.values()
            for entry in sittings.values()
            if not entry.line
        ]
        return refuse_clashes(lines, fixed, self._now)

    def changes(
        self,
        lines: Iterable[Entry],
        after: Mapping[str, Sittings],
        removed: Mapping[str, Sittings],
    ) -> tuple[Change, ...]:
        """Say what happens, line by line, then to the meters that are not listed."""
        found = [self._change(line, after[line.serial]) for line in lines]
        for serial, sittings in removed.items():
            for at, entry in self.of_serial[serial].items():
                if sittings.get(at) != entry:
                    gone = Change(
                        what=What.REMOVED,
                        serial=serial,
                        line=0,
                        before=entry,
                        after=sittings.get(at),
                    )
                    found.append(gone)
        return tuple(found)

    def _change(self, line: Entry, after: Sittings) -> Change:
        """Compare a line with what is stored under it, or with what it ends."""
        known = self.of_serial.get(line.serial, {})
        before = known.get(line.installed_at)
        if before is None:
            ended = [e for at, e in known.items() if e.overlaps(line)]
            before = max(ended, key=lambda e: e.installed_at, default=None)
        return Change(
            what=what_becomes(before, line),
            serial=line.serial,
            line=line.line,
            before=before,
            after=after[line.installed_at],
        )


def _refused(line: Entry, column: str, text: str) -> Refused:
    return Refused(line=line.line, column=column, serial=line.serial, text=text)


def _early(present: Entry) -> str:
    return (
        f"is not the time now: meter {present.serial} is at {present.address}, point"
        f" {present.point} of account {present.account}; give it that address here, or"
        " apply this line when it moves."
    )


def _later(other: Entry) -> str:
    return (
        f"meter {other.serial} came to point {other.point} of account {other.account}"
        f" at {other.installed_at:%Y-%m-%d %H:%M} UTC; give it an earlier removed_at"
        " here, or a later installed_at."
    )


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
