"""What people type: strict types, and one sentence for what is wrong with it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Strict,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails


class Form(BaseModel):
    """Base of everything a person enters: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _clock_time(entered: object) -> object:
    if entered == "24:00":
        return time(0, 0)
    return time.fromisoformat(entered) if isinstance(entered, str) else entered


def _on_a_quarter_hour(clock: time) -> time:
    if clock.tzinfo or clock.minute % 15 or clock.second or clock.microsecond:
        raise ValueError(f"{clock} is not a local time on a quarter-hour, like 06:45")
    return clock


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Code = Annotated[str, StringConstraints(pattern="^[a-z0-9][a-z0-9-]*$")]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
Whole = Annotated[int, Strict()]
"""An integer; a text or a broken number is refused, not converted."""
Amount = Annotated[float, Strict()]
"""A finite number; a text is refused, not converted."""
Moment = Annotated[AwareDatetime, Strict(), AfterValidator(_as_utc)]
"""A time with its offset, kept in UTC."""
QuarterHour = Annotated[
    time, Strict(), BeforeValidator(_clock_time), AfterValidator(_on_a_quarter_hour)
]
"""A local time such as 06:45; 24:00 is midnight."""

_REASONS = {"extra_forbidden": "unknown key", "missing": "missing"}
_NAMES = ("code", "serial", "name")


def sentence(error: ValidationError, entered: object) -> str:
    """Say the first thing that is wrong: its key path, then the reason.

    Parameters
    ----------
    error
        What pydantic found.
    entered
        What was entered, as nested mappings and sequences: list items are named by
        their code, serial or name, or counted from 1.

    """
    found = error.errors()
    # A misspelt key is also a missing one: the misspelling is what helps.
    unknown = (one for one in found if one["type"] == "extra_forbidden")
    first = next(unknown, found[0])
    key = _key_path(first["loc"], entered)
    return f"{key}: {_reason(first)}" if key else _reason(first)


def _reason(found: ErrorDetails) -> str:
    if found["type"] in _REASONS:
        return _REASONS[found["type"]]
    text = found["msg"].removeprefix("Value error, ")
    entered = found["input"]
    if found["type"] == "value_error" or isinstance(entered, (Mapping, list, tuple)):
        return text
    return f"{text[0].lower()}{text[1:]}, not {entered!r}"


def _key_path(location: Sequence[int | str], entered: object) -> str:
    path = ""
    here = entered
    for step in location:
        if isinstance(step, int):
            here = here[step] if isinstance(here, Sequence) else None
            path += f"[{_name_of(here) or f'#{step + 1}'}]"
        elif isinstance(here, Mapping) and here.get("transport") == step:
            continue  # pydantic's tag for the kind of connection, not a key
        else:
            here = here.get(step) if isinstance(here, Mapping) else None
            path += f".{step}"
    return path.removeprefix(".")


def _name_of(item: object) -> str | None:
    if not isinstance(item, Mapping):
        return None
    return next((str(item[key]) for key in _NAMES if key in item), None)
