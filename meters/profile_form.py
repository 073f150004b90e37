"""What every profile says, and how a mistake in one is told in one sentence."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

FROM_TEXT = Field(strict=False)
"""TOML has no enumerations and no tuples: for these a text or a list is right."""


class ProfileError(ValueError):
    """A profile file is not right; the message is one sentence for its writer."""


class Strict(BaseModel):
    """No unknown key, no guessed type, no infinity."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Manual(Strict):
    """The document the figures were taken from."""

    document: str = Field(min_length=1)
    revision: str = Field(min_length=1)


class MeterType(Strict):
    """What every profile says."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    """The file's name without its ending."""
    title: str = Field(min_length=1)
    """Maker and type, for people."""
    manual: Manual
    register_digits: int = Field(ge=1, le=15)
    """Energy registers turn over at 10 ** register_digits counts."""
    register_resolution: float = Field(gt=0)
    """One count of an energy register. [kWh or kvarh]"""


def refuse_twice(quantities: Sequence[str]) -> None:
    """Refuse a quantity that has two places."""
    for quantity in quantities:
        if quantities.count(quantity) > 1:
            raise ValueError(f"{quantity} is given twice")


def sentence(error: ValidationError, found: Mapping[str, object]) -> str:
    """Key path and reason of the first mistake; how many more there are."""
    details = error.errors(include_url=False, include_context=True)
    # The first part of each place is the transport by which the profile was chosen.
    where = _path(details[0]["loc"][1:], found)
    told = f"{where}: {_reason(details[0])}" if where else _reason(details[0])
    more = len(details) - 1
    return f"{told} (and {more} more)" if more else told


def _path(loc: Sequence[int | str], found: object) -> str:
    """Name a place as its writer does: `registers.voltage_l1_v.scale`."""
    names: list[str] = []
    for at, part in enumerate(loc):
        if isinstance(part, int) and isinstance(found, list):
            found = found[part]
            quantity = found.get("quantity") if isinstance(found, dict) else None
            names.append(quantity if isinstance(quantity, str) else f"#{part + 1}")
        elif isinstance(found, dict) and (part in found or at == len(loc) - 1):
            found = found.get(part)
            names.append(str(part))
        # Anything else is pydantic's name for the branch of a union it tried.
    return ".".join(names)


def _reason(detail: ErrorDetails) -> str:
    """Say what is wrong with one value."""
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "union_tag_invalid":
        return f"transport: is {context['tag']!r}, must be 'modbus' or 'mqtt'"
    fixed = {
        "extra_forbidden": "is not a known key",
        "missing": "is missing",
        "union_tag_not_found": "transport: is missing",
    }
    if kind in fixed:
        return fixed[kind]
    message = detail["msg"].removeprefix("Input ")
    return f"is {_short(value)}, {message[0].lower()}{message[1:]}"


def _short(value: object) -> str:
    """Show a value, but not a whole table."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - half a line
