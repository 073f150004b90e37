"""Rule sets of validation as people enter them; the newest counts.

Errors: `analytics.settlement.ruleset.RuleSetError`, one sentence.
"""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import Connection
from psycopg.rows import TupleRow, class_row

from accounts.calendar import SiteCalendar
from analytics.settlement.ruleset import (
    Rules,
    RuleSetError,
    RuleSets,
    qualified,
    rule_sets_of,
)
from storage.marking import mark_time
from storage.master import load_accounts

USUAL = "usual"
"""Code of the rules where none were entered: all defaults."""
_FOREIGN = "The rule sets in the database"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRules:
    """The rule sets that count."""

    definition: str
    """TOML, as it was entered."""
    rule_sets: RuleSets
    entered_by: str
    entered_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AppliedRules:
    """What entering rule sets changed."""

    is_new: bool
    """False: the same counted already, and nothing was written."""
    since: date | None
    """First day that is judged otherwise; None = none is."""
    points: int
    """At how many points."""
    days: int
    """How many point-days are settled again; older ones have no readings any more."""


SELECT_RULES = """
    SELECT definition, entered_by, entered_at
      FROM rule_sets
     ORDER BY rule_sets_id DESC LIMIT 1
"""
INSERT_RULES = """
    INSERT INTO rule_sets (definition, entered_by, entered_at)
    VALUES (%(definition)s, %(by)s, coalesce(%(now)s, now()))
"""
# Two who enter at once wait for each other: each compares with what counts.
LOCK_RULES = "LOCK TABLE rule_sets IN SHARE ROW EXCLUSIVE MODE"


def load_rule_sets(conn: Connection[TupleRow]) -> StoredRules | None:
    """Return the rule sets that count; None = none were entered."""
    row = conn.execute(SELECT_RULES).fetchone()
    if row is None:
        return None
    definition, entered_by, entered_at = row
    return StoredRules(
        definition=definition,
        rule_sets=rule_sets_of(tomllib.loads(definition), _FOREIGN),
        entered_by=entered_by,
        entered_at=entered_at,
    )


def apply_rule_sets(
    conn: Connection[TupleRow],
    definition: str,
    rule_sets: RuleSets,
    *,
    by: str,
    now: datetime | None = None,
) -> AppliedRules:
    """Let these rule sets count from now on.

    Days from the first on that is judged otherwise are settled again, at each point
    for which that is so.

    Parameters
    ----------
    conn : Connection
    definition : str
        TOML, as it was entered.
    rule_sets : RuleSets
        What it says.
    by : str
        Who enters it.
    now : datetime or None
        None: the server's.

    Raises
    ------
    RuleSetError
        A point is named that there is not; nothing is stored then.

    """
    with conn.transaction():
        conn.execute(LOCK_RULES)
        _refuse_strangers(conn, rule_sets)
        stored = load_rule_sets(conn)
        if stored is not None and stored.definition == definition:
            return AppliedRules(is_new=False, since=None, points=0, days=0)
        said = {"definition": definition, "by": by, "now": now}
        conn.execute(INSERT_RULES, said)
        before = None if stored is None else stored.rule_sets
        return _mark(conn, before, rule_sets, now)


def _refuse_strangers(conn: Connection[TupleRow], rule_sets: RuleSets) -> None:
    there = placed_points(conn)
    known = {one.point for one in there} | {one.name for one in there}
    for one in rule_sets.rule_sets:
        for name in one.points:
            if name not in known:
                names = ", ".join(each.name for each in there) or "none yet"
                raise RuleSetError(
                    f"Rule set {one.code} names point {name}, which no account has;"
                    f" there are: {names}. Leave out the account for all of a name."
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedPoint:
    """A point and whose it is."""

    point_id: int
    account_id: int
    account: str
    """Its code."""
    point: str

    @property
    def name(self) -> str:
        """By account and point: no two have one."""
        return qualified(self.account, self.point)


SELECT_PLACED = """
    SELECT point_id, account_id, code AS account, point.name AS point
      FROM point JOIN account USING (account_id)
     ORDER BY code, point.name
"""


def placed_points(conn: Connection[TupleRow]) -> list[PlacedPoint]:
    """Return every point with its account, by both."""
    with conn.cursor(row_factory=class_row(PlacedPoint)) as cur:
        return cur.execute(SELECT_PLACED).fetchall()


def points_called(conn: Connection[TupleRow], name: str) -> list[PlacedPoint]:
    """Return the points of a name, or the one that is named `account/point`.

    Raises
    ------
    RuleSetError
        There is none.

    """
    there = placed_points(conn)
    found = [one for one in there if name in (one.point, one.name)]
    if not found:
        names = ", ".join(one.name for one in there) or "none yet"
        raise RuleSetError(f"No point is called {name}; there are: {names}.")
    return found


def _mark(
    conn: Connection[TupleRow],
    before: RuleSets | None,
    after: RuleSets,
    now: datetime | None,
) -> AppliedRules:
    calendars = {
        account.account_id: SiteCalendar(account.time_zone, account.country)
        for account in load_accounts(conn)
    }
    turns: list[date] = []
    marked = 0
    for point in placed_points(conn):
        turn = first_difference(before, after, point.point, point.account)
        if turn is not None:
            turns.append(turn)
            start, _ = calendars[point.account_id].day_bounds(turn)
            marked += mark_time(conn, point.point_id, start, None, now)
    since = min(turns, default=None)
    return AppliedRules(is_new=True, since=since, points=len(turns), days=marked)


def first_difference(
    before: RuleSets | None, after: RuleSets, point: str, account: str = ""
) -> date | None:
    """Return the first day on which a point is judged otherwise; None = never."""
    turns = {
        one.valid_from for sets in (before, after) if sets for one in sets.rule_sets
    }
    for day in sorted(turns):
        was, is_ = (rules_on(sets, day, point, account) for sets in (before, after))
        if (was[0], was[1].model_dump()) != (is_[0], is_[1].model_dump()):
            return day
    return None


def rules_on(
    rule_sets: RuleSets | None,
    day: date,
    point: str | None = None,
    account: str = "",
) -> tuple[str, Rules]:
    """Return the code and the rules that hold on a day, at a point or in general.

    Parameters
    ----------
    rule_sets : RuleSets or None
        None = none were entered.
    day : date
    point : str or None
        Its name; None = in general.
    account : str
        Code of the point's account.

    """
    if rule_sets is None or all(s.valid_from > day for s in rule_sets.rule_sets):
        return USUAL, Rules()
    found = rule_sets.in_force(day)
    if point is None:
        return found.code, found.rules
    return found.code, found.of_point(point, account)
