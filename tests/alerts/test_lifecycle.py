from datetime import UTC, datetime
from itertools import product

import pytest

from alerts.lifecycle import (
    Action,
    AlertError,
    IllegalStepError,
    State,
    Step,
    state_after,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LEGAL = {
    (None, Action.OPENED): State.OPEN,
    (State.OPEN, Action.ACKNOWLEDGED): State.ACKNOWLEDGED,
    (State.OPEN, Action.PLANNED): State.PLANNED,
    (State.OPEN, Action.RESOLVED): State.RESOLVED,
    (State.ACKNOWLEDGED, Action.PLANNED): State.PLANNED,
    (State.ACKNOWLEDGED, Action.RESOLVED): State.RESOLVED,
    (State.PLANNED, Action.RESOLVED): State.RESOLVED,
}


def step(action: Action, who: str = "anna", why: str = "furnace relined") -> Step:
    return Step(action=action, who=who, at=NOON, why=why)


@pytest.mark.parametrize(("state", "action"), list(product([None, *State], Action)))
def test_each_state_allows_only_its_own_steps(state, action) -> None:
    if (state, action) in LEGAL:
        assert state_after(state, step(action)) is LEGAL[state, action]
    else:
        with pytest.raises(IllegalStepError):
            state_after(state, step(action))


def test_a_refusal_names_who_was_faster() -> None:
    with pytest.raises(IllegalStepError) as refusal:
        state_after(
            State.ACKNOWLEDGED,
            step(Action.ACKNOWLEDGED, who="bo"),
            last=step(Action.ACKNOWLEDGED),
        )
    assert str(refusal.value) == (
        "The alert cannot be acknowledged: it is already acknowledged by anna"
        " at 2026-03-02 12:00 UTC."
    )


def test_a_planned_change_needs_a_reason_and_a_person() -> None:
    with pytest.raises(AlertError, match="why the change is planned"):
        step(Action.PLANNED, why="  ")
    with pytest.raises(AlertError, match="who acts"):
        step(Action.ACKNOWLEDGED, who="")
    assert step(Action.ACKNOWLEDGED, why="").why == ""
