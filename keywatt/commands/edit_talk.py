"""How `keywatt edit` talks with whoever called: shows, asks, says what was done."""

# ruff: noqa: PLC0415 - rooms are imported when a command runs: help must be quick

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from keywatt.commands.common import print_json

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

    from analytics.settlement.intervals import IntArray
    from keywatt.edit_made import Change, Order, Outcome
    from reports.edit_file import EditFile
    from reports.edit_trial import Foreseen

_MOST_TOLD = 20
_DOUBTED = "Rules fail with it, as told above. {}"


@dataclass(frozen=True, slots=True)
class Talk:
    """How it is talked about with whoever called."""

    yes: bool
    as_json: bool
    question: str = "Store it?"
    done: str = "It is stored as edit {}."

    def question_of(self, foreseen: "Foreseen") -> str:
        """Return what is asked once it is shown."""
        return _DOUBTED.format(self.question) if foreseen.doubted else self.question


def talk_over(
    conn: "Connection[TupleRow]",
    order: "Order",
    start_us: "IntArray",
    change: "Change",
    talk: Talk,
) -> None:
    """Show a change, ask, make it and say so."""
    from keywatt.commands.common import console
    from keywatt.edit_made import carry_out
    from keywatt.edit_told import outcome_as_json, tell_foreseen

    def approve(foreseen: "Foreseen") -> bool:
        if talk.as_json:
            return talk.yes
        tell_foreseen(console(), foreseen)
        return talk.yes or _asked(talk.question_of(foreseen))

    outcome = carry_out(conn, order, start_us, change, approve=approve)
    if talk.as_json:
        print_json(outcome_as_json(outcome))
    elif outcome.edit_id is None:
        print("Nothing is changed.")
        raise typer.Exit(1)
    else:
        print(_stored(outcome, talk))


def _asked(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:  # nobody is there to answer
        print("\nNobody answers; --yes does it without asking.", file=sys.stderr)
        return False


def _stored(outcome: "Outcome", talk: Talk) -> str:
    said = talk.done.format(outcome.edit_id)
    settled = outcome.settled
    if settled is None:
        return f"{said} Its days are settled again by the worker."
    if settled.intervals_changed or settled.days:
        changed = settled.intervals_changed
        is_one = changed == 1
        return f"{said} {changed} quarter-hour{'' if is_one else 's'} changed by it."
    return f"{said} Another settles the point just now, and will see it."


def tell_refused(file: Path, read: "EditFile", *, as_json: bool) -> None:
    """Say which lines of a file are wrong, and why."""
    if as_json:
        refused = [asdict(one) for one in read.refused]
        print_json({"stored": False, "edit_id": None, "refused": refused})
        return
    for one in read.refused[:_MOST_TOLD]:
        print(one.told(file), file=sys.stderr)
    if len(read.refused) > _MOST_TOLD:
        more = len(read.refused) - _MOST_TOLD
        print(f"and {more} more lines; --json lists them all.", file=sys.stderr)
    print("Nothing is stored; correct the file and give it again.", file=sys.stderr)
