"""What may happen to an alert, one row a step. Pure.

    open ──acknowledged──▶ acknowledged
      │                        │
      ├────────planned─────────┴──▶ planned
      │                        │        │
      └───────────────────resolved──────┴──▶ resolved

    AlertError(ValueError)    one sentence for the person who tried
    ├── IllegalStepError      what was tried cannot follow the alert's state
    └── DeskError             (alerts.desk)

A step's time is the interval's where Keywatt acts, the clock's where a person does.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEYWATT = "keywatt"
"""Who acts when no person does."""


class AlertError(ValueError):
    """An alert cannot be treated so; the message is one sentence for people."""


class IllegalStepError(AlertError):
    """What was tried cannot follow the state the alert is in."""


class State(StrEnum):
    """Where an alert stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    PLANNED = "planned"
    RESOLVED = "resolved"


class Action(StrEnum):
    """What was done to an alert."""

    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    PLANNED = "planned"
    RESOLVED = "resolved"


_AFTER: dict[tuple[State | None, Action], State] = {
    (None, Action.OPENED): State.OPEN,
    (State.OPEN, Action.ACKNOWLEDGED): State.ACKNOWLEDGED,
    (State.OPEN, Action.PLANNED): State.PLANNED,
    (State.OPEN, Action.RESOLVED): State.RESOLVED,
    (State.ACKNOWLEDGED, Action.PLANNED): State.PLANNED,
    (State.ACKNOWLEDGED, Action.RESOLVED): State.RESOLVED,
    (State.PLANNED, Action.RESOLVED): State.RESOLVED,
}
_TRIED = {
    Action.OPENED: "opened",
    Action.ACKNOWLEDGED: "acknowledged",
    Action.PLANNED: "marked as planned",
    Action.RESOLVED: "resolved",
}
_STANDS = {
    State.OPEN: "open",
    State.ACKNOWLEDGED: "acknowledged",
    State.PLANNED: "marked as planned",
    State.RESOLVED: "resolved",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One entry of an alert's history: what, who, when and why."""

    action: Action
    who: str
    at: datetime
    why: str

    def __post_init__(self) -> None:
        """Refuse a step that nobody took, or a planned change without a reason."""
        if not self.who.strip():
            raise AlertError("Say who acts: an alert's history names everyone.")
        if self.at.tzinfo is None:
            raise ValueError("a step's time needs a time zone")
        if self.action is Action.PLANNED and not self.why.strip():
            raise AlertError(
                "Say why the change is planned: the reason is kept with the alert."
            )


def state_after(state: State | None, step: Step, *, last: Step | None = None) -> State:
    """Return the state an alert is in after a step.

    Parameters
    ----------
    state : State or None
        Where it stands; None before it is opened.
    step : Step
        What is tried.
    last : Step or None
        What was done last, so that a refusal can name who was faster.

    Raises
    ------
    IllegalStepError
        The step cannot follow that state; one sentence.

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> seen = Step(action=Action.ACKNOWLEDGED, who="anna", at=noon, why="")
    >>> state_after(State.OPEN, seen).value
    'acknowledged'

    """
    after = _AFTER.get((state, step.action))
    if after is not None:
        return after
    if state is None:
        raise IllegalStepError(
            f"The alert cannot be {_TRIED[step.action]}: it was never opened."
        )
    by = f" by {last.who} at {last.at:%Y-%m-%d %H:%M} UTC" if last else ""
    raise IllegalStepError(
        f"The alert cannot be {_TRIED[step.action]}: it is already "
        f"{_STANDS[state]}{by}."
    )
