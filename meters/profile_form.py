"""What every profile says."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field

from meters.form import Form

FROM_TEXT = Field(strict=False)
"""TOML has no enumerations and no tuples: for these a text or a list is right."""


def checked_zone(zone: str | None) -> str | None:
    """Refuse a zone that the time zone database does not know."""
    try:
        if zone is not None:
            ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise ValueError(f"there is no time zone {zone!r}") from exc
    return zone


class ProfileError(ValueError):
    """A profile file is not right; the message is one sentence for its writer."""


class Strict(Form):
    """No guessed type either: a profile is always a file."""

    model_config = ConfigDict(strict=True)


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
    ratio_in_meter: bool = False
    """True: the meter multiplies with the ratios of its transformers itself, so that
    its registers are of the primary side. False: the installation's ratios apply."""
