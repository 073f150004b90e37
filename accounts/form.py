"""Types of what people enter about accounts; the form itself is `meters.form`."""

import re
from datetime import UTC, datetime, time
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Strict,
    StringConstraints,
)


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


_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%\w+)?")


def _a_host(host: str) -> str:
    """Refuse what no machine can be called: whoever looks it up would fail."""
    try:
        labels = host.removesuffix(".").encode("idna").decode().split(".")
    except UnicodeError:
        labels = [""]
    if all(_LABEL.fullmatch(label) for label in labels) or _IPV6.fullmatch(host):
        return host
    raise ValueError(
        f"{host!r} is no host name or address; a name's parts between the dots have 1 "
        "to 63 letters, digits or dashes each, and the port is a key of its own"
    )


Host = Annotated[Text, AfterValidator(_a_host)]
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
