"""What people entered about a point, as settlement uses it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from psycopg import Connection
from psycopg.rows import TupleRow

from accounts.account import Installation, Point, Role
from accounts.calendar import SiteCalendar
from analytics.settlement.evidence import Outage, StatedMultiplier, fittings_of
from analytics.settlement.fitting import Fitting
from analytics.settlement.ruleset import Rules, RuleSets, rule_sets_of
from meters.quantity import Quantity
from storage.evidence import load_entered
from storage.master import load_installations
from storage.rule_sets import rules_on

MOST_CONTRACTS = 3.0
"""How many times its contract demand a point can draw. An account may contract for as
little as 0.4 of its transformers (docs/methods.md), which is 2.5 times; above that a
register is bounded, not a customer judged."""
Fittings = Mapping[Quantity, Sequence[Fitting]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Master:
    """One point."""

    point: Point
    account: str
    """Code of the point's account."""
    calendar: SiteCalendar
    main: tuple[Installation, ...]
    check: tuple[Installation, ...]
    fittings: Fittings
    """Of the main meters."""
    check_fittings: Fittings
    most_kw: float | None
    outages: tuple[Outage, ...]
    stated: tuple[StatedMultiplier, ...]
    rule_sets: RuleSets | None
    is_edited: bool
    """Whether any of its intervals is."""
    has_profile: bool
    """Whether any of its meters counts intervals itself."""

    def rules_on(self, day: date) -> tuple[str, Rules]:
        """Return the code and the rules that hold on a day."""
        return rules_on(self.rule_sets, day, self.point.name, self.account)

    @property
    def turns(self) -> tuple[date, ...]:
        """Days on which other rules begin to hold."""
        sets = self.rule_sets.rule_sets if self.rule_sets else ()
        return tuple(one.valid_from for one in sets)


def load_master(conn: Connection[TupleRow], point_id: int) -> Master:
    """Load what people entered about a point.

    Raises
    ------
    LookupError
        There is no such point.
    FittingError
        What was entered cannot be; the message names the meter.

    """
    entered = load_entered(conn, point_id)
    sat = load_installations(conn, point_id)
    main = tuple(one for one in sat if one.role is Role.MAIN)
    check = tuple(one for one in sat if one.role is Role.CHECK)
    most_kw = most_kw_of(entered.point)

    def fittings(of: Sequence[Installation]) -> Fittings:
        return fittings_of(
            of,
            most_kw=most_kw,
            feeds=entered.point.feeds,
            readings_at_swaps=entered.swap_counts,
            changes=entered.multipliers,
        )

    return Master(
        point=entered.point,
        account=entered.account,
        calendar=entered.calendar,
        main=main,
        check=check,
        fittings=fittings(main),
        check_fittings=fittings(check),
        most_kw=most_kw,
        outages=entered.outages,
        stated=entered.stated,
        rule_sets=None if entered.rule_sets is None else _rule_sets(entered.rule_sets),
        is_edited=entered.is_edited,
        has_profile=entered.has_profile,
    )


def most_kw_of(point: Point) -> float | None:
    """Return the most that a point can draw; None where nobody entered anything."""
    if point.contract_kva is not None:
        return point.contract_kva
    if point.contract_demand_kw is None:
        return None
    return MOST_CONTRACTS * point.contract_demand_kw


@lru_cache(maxsize=4)
def _rule_sets(text: str) -> RuleSets:
    return rule_sets_of(tomllib.loads(text), "The rule sets in force")


def sits(installation: Installation, start: datetime, stop: datetime) -> bool:
    """Whether the meter sat there at some time in [start, stop)."""
    removed_at = installation.removed_at
    return installation.installed_at < stop and (
        removed_at is None or removed_at > start
    )
