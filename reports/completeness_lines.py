"""The completeness ledger line by line, for files and scripts. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator

from analytics.completeness.ledger import Category, Count
from reports.completeness_views import (
    AllCompleteness,
    Completeness,
    Counted,
    DayLedger,
)

COLUMNS = (
    "account",
    "point",
    "local_day",
    "expected",
    "category",
    "method",
    "cause",
    "detail",
    "intervals",
    "share_percent",
    "import_kwh",
)
Line = tuple[str | int | float, ...]


def lines(accounts: Iterable[Completeness]) -> Iterator[Line]:
    """Return the ledger as lines of `COLUMNS`: one a point, day and kind.

    Those of a point and day sum to its expected intervals.
    """
    for account in accounts:
        for point in account.points:
            for day in point.days:
                for one in day.counts:
                    yield (
                        account.account.code,
                        point.point.name,
                        day.local_day.isoformat(),
                        day.expected,
                        *_line(one, day.expected),
                    )


def as_csv(accounts: Iterable[Completeness]) -> str:
    """Return the ledger as a CSV file with a head of `COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines(accounts))
    return out.getvalue()


def _line(one: Count, expected: int) -> Line:
    kind = one.kind
    return (
        kind.category.value,
        kind.method,
        kind.cause,
        kind.detail,
        one.intervals,
        round(100 * one.intervals / expected, 3),
        "" if one.import_kwh is None else one.import_kwh,
    )


def as_json(found: Completeness) -> dict[str, object]:
    """Return an account's ledger as a script reads it: points and their days."""
    return {
        "account": found.account.code,
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        **_summary(found),
        "points": [
            {
                "point": point.point.name,
                **_summary(point),
                "days": [_day(day) for day in point.days],
            }
            for point in found.points
        ],
    }


def all_as_json(found: AllCompleteness) -> dict[str, object]:
    """Return the accounts' sums, those that lack most first."""
    return {
        "first_day": found.first_day.isoformat(),
        "last_day": found.last_day.isoformat(),
        **_summary(found),
        "accounts": [
            {"account": one.account.code, **_summary(one)} for one in found.accounts
        ],
    }


def _day(day: DayLedger) -> dict[str, object]:
    return {"local_day": day.local_day.isoformat(), **_summary(day)}


def _summary(of: Counted) -> dict[str, object]:
    """Return sums by category, and each kind in full."""
    names = {each: each.value.replace("-", "_") for each in Category}
    return {
        "expected": of.expected,
        "due": of.due,
        **{name: of.of(each) for each, name in names.items()},
        "kinds": [_kind(one) for one in of.counts],
    }


def _kind(one: Count) -> dict[str, object]:
    kind = one.kind
    named = {"method": kind.method, "cause": kind.cause, "detail": kind.detail}
    return {
        "category": kind.category.value,
        **{name: told for name, told in named.items() if told},
        "intervals": one.intervals,
        "import_kwh": one.import_kwh,
    }
