"""Which rules were broken, where and when, with the figures that led to it.

VerdictError(ValueError)   what is asked for is not there; one sentence
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Account, Point
from analytics.settlement.ruleset import Rules
from analytics.settlement.verdict import Status, Verdict
from meters.reading import from_utc_us, utc_us
from reports.completeness import refuse_period
from reports.interval_trace import LENGTH
from reports.ledger_entries import clock_of
from reports.portfolio import account_of, accounts_of
from storage.master import load_points
from storage.verdicts import BrokenThen, load_broken, load_worst

USUAL_DAYS = 7
NO_RULE = "estimation"
"""What a rule set says besides its rules."""
RULES = tuple(name for name in Rules.model_fields if name != NO_RULE)


class VerdictError(ValueError):
    """What is asked for is not there; the text is one sentence for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Only:
    """What of all verdicts is asked for; None = all."""

    rule: str | None = None
    status: Status | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenRule:
    """One rule that warned or failed on a local day of a point."""

    account: Account
    point: Point
    local_day: date
    day_bounds: tuple[datetime, datetime]
    status: Status
    verdicts: tuple[Verdict, ...]
    """All of the day, by time; at least one."""

    @property
    def rule(self) -> str:
        """Its name."""
        return self.verdicts[0].rule

    @property
    def figures(self) -> Mapping[str, float | str]:
        """What led to it; where it broke several times, to the first of them."""
        return self.verdicts[0].figures

    @property
    def is_whole_day(self) -> bool:
        """Whether it is about the day as such, and not about a part of it."""
        first = self.verdicts[0]
        begins, ends = map(utc_us, self.day_bounds)
        return first.start_us <= begins and first.stop_us >= ends

    @property
    def first_span(self) -> tuple[datetime, datetime]:
        """When it broke first, as far as that falls on the day: [start, stop)."""
        first, (begins, ends) = self.verdicts[0], self.day_bounds
        return (
            max(from_utc_us(first.start_us), begins),
            min(from_utc_us(first.stop_us), ends),
        )

    @property
    def opens(self) -> datetime:
        """Start of the first quarter-hour that it touches."""
        start = self.first_span[0]
        return start - (start - self.day_bounds[0]) % LENGTH


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    """What the rules said of points over a period."""

    first_day: date
    last_day: date
    judged: int
    """Point-days on which they said anything."""
    failed: int
    """Of these, those on which a rule failed."""
    broken: tuple[BrokenRule, ...]
    """The worst first, then the newest."""


def verdicts_of(
    conn: Connection[TupleRow],
    account_code: str,
    period: tuple[date, date],
    only: Only | None = None,
    *,
    point: str | None = None,
    manager: str | None = None,
) -> Verdicts:
    """Return which rules were broken at an account.

    Parameters
    ----------
    conn : Connection
    account_code : str
    period : tuple of date
        First and last local day, both included.
    only : Only, optional
    point : str or None
        The name of one of its points; None = of all.
    manager : str or None
        Who asks; None may see every account.

    Raises
    ------
    NoSuchAccountError
        There is none, or it is another manager's.
    VerdictError
        It has no such point.
    PeriodError
        The period ends before it begins, or is too long.

    """
    account = account_of(conn, account_code, manager)
    points = load_points(conn, account.account_id)
    chosen = [each for each in points if point in {None, each.name}]
    if not chosen and point is not None:
        known = ", ".join(each.name for each in points) or "none yet"
        raise VerdictError(
            f"Account {account.code} has no point called {point}; there are: {known}."
        )
    return _verdicts(conn, {account.account_id: account}, chosen, period, only)


def verdicts_of_all(
    conn: Connection[TupleRow],
    period: tuple[date, date],
    only: Only | None = None,
    *,
    manager: str | None = None,
) -> Verdicts:
    """Return the same of all accounts of a manager."""
    accounts = {one.account_id: one for one in accounts_of(conn, manager)}
    points = [one for one in load_points(conn) if one.account_id in accounts]
    return _verdicts(conn, accounts, points, period, only)


def rule_called(name: str) -> str:
    """Return a rule by what a person calls it: `zero-run` is `zero_run`.

    Raises
    ------
    VerdictError
        There is no such rule.

    Examples
    --------
    >>> rule_called("Zero-run")
    'zero_run'

    """
    rule = name.strip().lower().replace("-", "_")
    if rule not in RULES:
        raise VerdictError(f"There is no rule {name}; there are: {', '.join(RULES)}.")
    return rule


def _verdicts(
    conn: Connection[TupleRow],
    accounts: Mapping[int, Account],
    points: Sequence[Point],
    period: tuple[date, date],
    only: Only | None,
) -> Verdicts:
    refuse_period(*period)
    only = only or Only()
    ids = [point.point_id for point in points]
    worst = load_worst(conn, ids, *period)
    said = load_broken(conn, ids, *period, rule=only.rule, status=only.status)
    of_all = [status for days in worst.values() for status in days.values()]
    return Verdicts(
        first_day=period[0],
        last_day=period[1],
        judged=len(of_all),
        failed=sum(status is Status.FAIL for status in of_all),
        broken=tuple(sorted(_broken(said, accounts, points), key=_rank)),
    )


def _broken(
    said: Iterable[BrokenThen], accounts: Mapping[int, Account], points: Sequence[Point]
) -> Iterable[BrokenRule]:
    """Join what one rule said of one day: a day with twenty gaps is one line."""
    by_id = {point.point_id: point for point in points}

    def same(one: BrokenThen) -> tuple[int, date, int, str]:
        return one.point_id, one.local_day, one.verdict.status, one.verdict.rule

    for (point_id, local_day, status, _), each in groupby(sorted(said, key=same), same):
        point = by_id[point_id]
        account = accounts[point.account_id]
        yield BrokenRule(
            account=account,
            point=point,
            local_day=local_day,
            day_bounds=clock_of(account).day_bounds(local_day),
            status=Status(status),
            verdicts=tuple(one.verdict for one in each),
        )


def _rank(one: BrokenRule) -> tuple[int, int, str, str, int, str]:
    return (
        -one.status,
        -one.local_day.toordinal(),
        one.account.name.casefold(),
        one.point.name.casefold(),
        one.verdicts[0].start_us,
        one.rule,
    )
