"""`keywatt rules`: what the validation of readings looks for, and how strictly."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keywatt.commands.common import AsJson, console, epilogue, print_json
from keywatt.commands.entering import By, entry, who

if TYPE_CHECKING:
    from analytics.settlement.ruleset import Rules, RuleSets
    from storage.rule_sets import AppliedRules, PlacedPoint, StoredRules

_HELP = "Check, apply and show the rules by which settled energy is validated."
_EPILOGUE = epilogue(
    "A TOML file of rule sets, each valid from a day on until the next; a point may "
    "differ. What is left out has its default: docs/handbook/example-rules.toml shows "
    "every key. The file that was applied last counts, also for the past: days that "
    "are judged otherwise now are settled again.",
    examples=(
        "keywatt rules check my-rules.toml",
        "keywatt rules apply my-rules.toml --by 'Li Wei'",
        "keywatt rules show --day 2026-03-02 --point 'steel/Main supply'",
    ),
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="The rule sets (TOML).")]
OnDay = Annotated[
    str | None, typer.Option("--day", metavar="DAY", help="That hold on it; today.")
]
AtPoint = Annotated[
    str | None, typer.Option("--point", metavar="NAME", help="That hold at it.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    family = typer.Typer(no_args_is_help=True, help=_HELP, epilog=_EPILOGUE)
    app.add_typer(family, name="rules")

    @family.command("check", epilog=_EPILOGUE)
    def check(file: File, *, as_json: AsJson = False) -> None:
        """Read rule sets and say whether they can be used; ask no database."""
        rule_sets = _load(file)
        if as_json:
            print_json({"rule_sets": _sets_as_json(rule_sets)})
        else:
            print(f"{file} can be used: {_told(rule_sets)}.")

    @family.command("apply", epilog=_EPILOGUE)
    def apply(
        ctx: typer.Context, file: File, *, by: By = None, as_json: AsJson = False
    ) -> None:
        """Enter rule sets; days that are judged otherwise are settled again."""
        from storage.rule_sets import apply_rule_sets

        rule_sets = _load(file)
        text = file.read_text("utf-8")
        with entry(ctx) as (conn, now):
            done = apply_rule_sets(conn, text, rule_sets, by=who(by), now=now)
        if as_json:
            print_json(
                {
                    "rule_sets": _sets_as_json(rule_sets),
                    "changed": done.is_new,
                    "since": done.since,
                    "points": done.points,
                    "days_settled_again": done.days,
                }
            )
        else:
            print(f"{file} is in the database: {_told(rule_sets)}. {_effect(done)}")

    @family.command("show", epilog=_EPILOGUE)
    def show(
        ctx: typer.Context,
        *,
        day: OnDay = None,
        point: AtPoint = None,
        as_json: AsJson = False,
    ) -> None:
        """Show the rules that hold on a day, in general or at a point."""
        from accounts.wall_clock import day_typed
        from storage.rule_sets import load_rule_sets, points_called

        with entry(ctx) as (conn, now):
            stored = load_rule_sets(conn)
            places = [] if point is None else points_called(conn, point)
        on = now.date() if day is None else day_typed(day)
        code, rules = _of_all(None if stored is None else stored.rule_sets, on, places)
        if as_json:
            print_json(_shown(stored, on, point, code, rules))
        else:
            _print(stored, on, point, code, rules)


def _load(file: Path) -> "RuleSets":
    from analytics.settlement.ruleset import RuleSetError, rule_sets_of
    from meters.form import read_toml

    return rule_sets_of(read_toml(file, RuleSetError), file)


def _of_all(
    rule_sets: "RuleSets | None", on: date, places: "list[PlacedPoint]"
) -> "tuple[str, Rules]":
    """Return the rules that hold at points of one name, or in general."""
    from analytics.settlement.ruleset import RuleSetError
    from storage.rule_sets import rules_on

    if not places:
        return rules_on(rule_sets, on)
    first, *others = (rules_on(rule_sets, on, p.point, p.account) for p in places)
    if any(other[1].model_dump() != first[1].model_dump() for other in others):
        names = ", ".join(place.name for place in places)
        raise RuleSetError(
            f"Rules differ among the points called {places[0].point}; name one of"
            f" them: {names}."
        )
    return first


def _told(rule_sets: "RuleSets") -> str:
    in_order = sorted(rule_sets.rule_sets, key=lambda one: one.valid_from)
    listed = (f"{one.code} from {one.valid_from} on" for one in in_order)
    return ", then ".join(listed) or "no rule set, so that all defaults hold"


def _effect(done: "AppliedRules") -> str:
    if not done.is_new:
        return "The same counted already."
    if done.since is None:
        return "No day is judged otherwise by it."
    return (
        f"{done.days} point-days of {done.points} points are settled again, from"
        f" {done.since} on as far as readings are kept."
    )


def _sets_as_json(rule_sets: "RuleSets") -> list[dict[str, object]]:
    return [
        one.model_dump(mode="json", exclude_unset=True) for one in rule_sets.rule_sets
    ]


def _shown(
    stored: "StoredRules | None",
    on: date,
    point: str | None,
    code: str,
    rules: "Rules",
) -> dict[str, object]:
    return {
        "day": on.isoformat(),
        "point": point,
        "rule_set": code,
        "rules": rules.model_dump(mode="json"),
        "entered_by": stored.entered_by if stored else None,
        "entered_at": stored.entered_at.isoformat() if stored else None,
        "rule_sets": _sets_as_json(stored.rule_sets) if stored else [],
    }


def _print(
    stored: "StoredRules | None",
    on: date,
    point: str | None,
    code: str,
    rules: "Rules",
) -> None:
    from rich.table import Table

    where = "in general" if point is None else f"at {point}"
    if stored is None:
        print("No rule set was entered; all defaults hold.")
    else:
        entered = f"{stored.entered_at:%Y-%m-%d %H:%M} UTC by {stored.entered_by}"
        print(f"{_told(stored.rule_sets)}; entered {entered}.")
    table = Table(header_style="bold", title=f"{code}: {on}, {where}")
    for column in ("rule", "when broken", "parameters"):
        table.add_column(column, overflow="fold")
    for name, rule in rules.model_dump(mode="json").items():
        severity = rule.pop("severity", "")
        told = (f"{key} {value}" for key, value in rule.items() if value is not None)
        table.add_row(name, severity, ", ".join(told))
    console().print(table)
