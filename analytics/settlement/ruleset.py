"""What a person enters about validation: rule sets by date, differing by point.

A TOML file of `[[rule_sets]]`; every key has its default (docs/methods.md). Errors:
`RuleSetError`, one sentence with the key and the reason; a rule that there is not is
refused, so that a misspelt one cannot stay unchecked. Pure.
"""

from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from accounts.form import Amount, Code, Text, Whole
from analytics.settlement.ladder import LINEAR_UP_TO_MIN, Ladder
from meters.form import Form, checked

Share = Annotated[Amount, Field(ge=0)]
Positive = Annotated[Amount, Field(gt=0)]


class RuleSetError(ValueError):
    """A rule set cannot be used; the message says where and why."""


class Severity(StrEnum):
    """What breaking a rule means."""

    FAIL = "fail"
    WARN = "warn"
    OFF = "off"


class Named(Form):
    """A form that knows what a misspelt key was meant to be."""

    @model_validator(mode="before")
    @classmethod
    def _know_what_is_meant(cls, entered: object) -> object:
        known = cls.model_fields
        for key in entered if isinstance(entered, Mapping) else ():
            near = get_close_matches(str(key), known, n=1)
            if key not in known and near:
                raise ValueError(f"{key} is no known key (did you mean {near[0]}?)")
        return entered


class Rule(Named):
    """What every rule has."""

    severity: Severity = Severity.FAIL


class Gap(Rule):
    """Intervals that nothing was read of."""


class Repeats(Rule):
    """Two values of one moment: what contradicts itself breaks it."""


class MasterData(Rule):
    """The multiplier that a meter states is the one entered.

    Skipped where a meter states none. Unit and channel are the profile's, and what
    comes in another is refused when it is read.
    """


class Clock(Rule):
    """The meter's clock."""

    severity: Severity = Severity.WARN
    tolerance_min: Positive = 3.0


class Plausible(Rule):
    """Readings that no register can have shown."""


class Negative(Rule):
    """Energy below nothing."""


class Reverse(Rule):
    """Energy fed by a point that has nothing to feed."""

    least_share: Share = 0.01
    """Of the day's import, below which it is leakage of the measurement."""
    like_from: Positive = 0.5
    like_to: Positive = 2.0
    """Fed energy between these multiples of what was expected to be drawn, while
    nothing is drawn, was drawn through a meter connected the wrong way round."""


class Cap(Rule):
    """Power beyond contract and transformers."""

    margin: Positive = 1.2


class ZeroRun(Rule):
    """Nothing at all, and no outage known."""

    warn_hours: Positive = 4.0
    fail_hours: Positive = 24.0


class Outage(Rule):
    """Energy while the supply was off."""

    severity: Severity = Severity.WARN


class Flatline(Rule):
    """The same energy again and again."""

    severity: Severity = Severity.WARN
    slots: Annotated[Whole, Field(gt=1)] = 12


class Reactive(Rule):
    """A day of active energy without any reactive."""

    severity: Severity = Severity.WARN


class Stalled(Rule):
    """The register stands while power flows."""

    minutes: Positive = 60.0
    least_counts: Positive = 5.0
    """That the register should have gone on."""


class SumCheck(Rule):
    """Intervals against the registers' difference."""

    units: Share = 1.0
    """Register counts, times the multiplier."""
    share: Share = 0.001


class MainCheck(Rule):
    """Main meter against check meter."""

    severity: Severity = Severity.WARN
    combined_class: Positive = 0.01
    """Sum of both accuracy classes; the standard leaves the classes to the site."""
    margin: Positive = 1.5


class Spike(Rule):
    """The day's highest interval against its third-highest."""

    ratio: Positive = 1.8
    least_share: Share = 0.05
    """Of the most that can flow, below which the third-highest is no measure."""


class Usage(Rule):
    """Average daily usage against that of reference days."""

    low: Share = 0.4
    high: Positive = 1.8


class Peak(Rule):
    """Peak against that of the period before, of the same length."""

    severity: Severity = Severity.WARN
    ratio: Positive = 2.0


class Estimation(Named):
    """The ladder."""

    linear_up_to_min: Share = LINEAR_UP_TO_MIN
    line_first: bool = False
    """The line before like days, as the standard has it."""
    near_days: Annotated[Whole, Field(gt=0)] = 45
    agreed_kw: Share | None = None

    def as_ladder(self) -> Ladder:
        """Return it as the figures use it."""
        return Ladder(**self.model_dump())


class Rules(Named):
    """All there are, by name."""

    gap: Gap = Gap()
    repeats: Repeats = Repeats()
    master_data: MasterData = MasterData()
    clock: Clock = Clock()
    plausible: Plausible = Plausible()
    negative: Negative = Negative()
    reverse: Reverse = Reverse()
    cap: Cap = Cap()
    zero_run: ZeroRun = ZeroRun()
    outage: Outage = Outage()
    flatline: Flatline = Flatline()
    reactive: Reactive = Reactive()
    stalled: Stalled = Stalled()
    sum_check: SumCheck = SumCheck()
    main_check: MainCheck = MainCheck()
    spike: Spike = Spike()
    usage: Usage = Usage()
    peak: Peak = Peak()
    estimation: Estimation = Estimation()

    def but(self, other: "Rules") -> "Rules":
        """Return these rules with what another says differently."""
        mine = self.model_dump(exclude_unset=True)
        for name, changed in other.model_dump(exclude_unset=True).items():
            mine[name] = mine.get(name, {}) | changed
        return Rules.model_validate(mine)


def qualified(account: str, point: str) -> str:
    """Name a point by its account's code and its own name: no two have one."""
    return f"{account}/{point}"


class RuleSet(Form):
    """Rules from a day on, until the next set."""

    code: Code
    valid_from: date
    rules: Rules = Rules()
    points: Mapping[Text, Rules] = Field(default_factory=dict)
    """What differs at a point, by its name, or by `account/point` at one alone."""

    def of_point(self, point: str, account: str = "") -> Rules:
        """Return the rules of a point; what names its account too has the last word."""
        rules = self.rules
        for name in (point, qualified(account, point)):
            if name in self.points:
                rules = rules.but(self.points[name])
        return rules


class RuleSets(Form):
    """All of a site."""

    rule_sets: tuple[RuleSet, ...]

    @model_validator(mode="after")
    def _follow_each_other(self) -> Self:
        by_day = sorted(self.rule_sets, key=lambda one: one.valid_from)
        for one, other in pairwise(by_day):
            if one.valid_from == other.valid_from:
                raise ValueError(
                    f"rule sets {one.code} and {other.code} are both valid from "
                    f"{one.valid_from}; give each its own day"
                )
        return self

    def in_force(self, day: date) -> RuleSet:
        """Return the set of a day.

        Raises
        ------
        RuleSetError
            If all begin later.

        """
        begun = [one for one in self.rule_sets if one.valid_from <= day]
        if not begun:
            raise RuleSetError(
                f"No rule set is valid on {day}; give one an earlier valid_from."
            )
        return max(begun, key=lambda one: one.valid_from)


def rule_sets_of(entered: Mapping[str, object], source: object) -> RuleSets:
    """Check what was entered.

    Parameters
    ----------
    entered
        From `meters.form.read_toml`.
    source
        Where it was entered, for the message.

    Raises
    ------
    RuleSetError
        With one sentence.

    """
    return checked(RuleSets.model_validate, entered, source, RuleSetError)
