"""A meter in a site file: what it is, where it answers, and its time at a point."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic import model_validator as check_after

from accounts.connection import Connection
from accounts.form import Amount, Moment, Text, Whole
from accounts.multiplier import MultiplierChange
from accounts.register_note import RegisterNote
from meters.form import Form
from meters.profile import Profile, ProfileError, load_profile, profile_names
from meters.quantity import Quantity

SERIAL = "^[A-Za-z0-9._-]{1,64}$"
Serial = Annotated[str, StringConstraints(pattern=SERIAL)]


def _some_ratio(ratio: int) -> int:
    if ratio <= 0:
        raise ValueError(
            f"is {ratio}, should be greater than 0: give CT x PT x constant, or 1 where"
            " the meter multiplies itself"
        )
    return ratio


Ratio = Annotated[Whole, AfterValidator(_some_ratio)]
"""CT x PT x constant applied to register counts; 1 where set in the meter."""
RegisterDigits = Annotated[Whole, Field(ge=1, le=15)]
RegisterResolution = Annotated[Amount, Field(gt=0)]
"""kWh (kvarh) of one register count."""

FOLDER = "folder"
"""In pydantic's context: where relative paths start."""


class SiteMeter(Form):
    """A meter and its time at the point."""

    serial: Serial
    profile: Text
    """One of ours by its name, or the path of a TOML file, made absolute."""
    connection: Connection
    installed_at: Moment
    removed_at: Moment | None = None
    ratio: Ratio = 1
    multiplier_changes: tuple[MultiplierChange, ...] = ()
    """What holds instead of `ratio` from a later moment on."""
    opening: RegisterNote = RegisterNote()
    """What the display showed when it came."""
    closing: RegisterNote = RegisterNote()
    """What it showed when it left."""
    register_digits: RegisterDigits = Field(
        default_factory=lambda given: _of_profile(given).register_digits
    )
    register_resolution: RegisterResolution = Field(
        default_factory=lambda given: _of_profile(given).register_resolution
    )

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, entered: str, info: ValidationInfo) -> str:
        return find_profile(entered, (info.context or {}).get(FOLDER, "."))[0]

    @check_after(mode="after")
    def _fits_together(self) -> Self:
        profile = load_profile(self.profile)
        if profile.transport != self.connection.transport:
            raise ValueError(
                f"profile {self.profile} is read over {profile.transport},"
                f" but the connection is {self.connection.transport}"
            )
        if profile.ratio_in_meter and self.ratio != 1:
            raise ValueError(f"ratio is {self.ratio}, {twice(self.profile)}")
        if self.removed_at is not None and self.removed_at <= self.installed_at:
            raise ValueError("removed_at must be later than installed_at")
        if complaint := too_many_digits(self.profile, profile, self.register_digits):
            raise ValueError(f"register_digits is {self.register_digits}, {complaint}")
        return self

    @check_after(mode="after")
    def _changes_follow_each_other(self) -> Self:
        if self.multiplier_changes and load_profile(self.profile).ratio_in_meter:
            raise ValueError(f"multiplier_changes is given, {twice(self.profile)}")
        earlier = self.installed_at
        for change in self.multiplier_changes:
            when = f"the multiplier changes at {change.since:%Y-%m-%d %H:%M} UTC"
            if change.since <= earlier:
                raise ValueError(
                    f"{when}, not later than the meter came or than the change before"
                    " it; put the changes in order, each with a since of its own"
                )
            if self.removed_at is not None and change.since >= self.removed_at:
                raise ValueError(
                    f"{when}, when the meter has left already; enter it for the meter"
                    " that came"
                )
            earlier = change.since
        return self

    @check_after(mode="after")
    def _notes_can_be_shown(self) -> Self:
        if self.removed_at is None and self.closing.model_fields_set:
            raise ValueError(
                "closing is what the display showed when the meter left; give its"
                " removed_at too"
            )
        for name, note in (("opening", self.opening), ("closing", self.closing)):
            try:
                note.counts(self.register_digits, self.register_resolution)
            except ValueError as exc:
                raise ValueError(f"{name}.{exc}") from None
        return self

    @property
    def opening_counts(self) -> Mapping[Quantity, int]:
        """Its registers when it came, as far as they were noted."""
        return self.opening.counts(self.register_digits, self.register_resolution)

    @property
    def closing_counts(self) -> Mapping[Quantity, int]:
        """Its registers when it left, as far as they were noted."""
        return self.closing.counts(self.register_digits, self.register_resolution)


def twice(profile: str) -> str:
    """Say why an installation of a meter that multiplies itself has no ratio."""
    return (
        f"but profile {profile} says that the meter multiplies with its ratios itself: "
        "leave it out, or energy would be multiplied twice"
    )


def too_many_digits(name: str, profile: Profile, digits: int) -> str | None:
    """Say why a register cannot have so many digits; None where it can."""
    if digits <= profile.register_digits:
        return None
    return (
        f"but the registers of profile {name} have {profile.register_digits}; leave it"
        " out, or name a profile of your own that has as many"
    )


def find_profile(entered: str, folder: str | Path) -> tuple[str, Profile]:
    """Return the name under which an entered profile is kept, and the profile.

    Parameters
    ----------
    entered : str
        One of ours by its name, or the path of a TOML file.
    folder : path
        Where a relative path starts.

    Raises
    ------
    ValueError
        There is none, or it holds a mistake: a sentence without its full stop.

    """
    if not entered.endswith(".toml"):
        if entered not in profile_names():
            known = ", ".join(profile_names())
            raise ValueError(
                f"no profile is called {entered!r}; there are {known}, and your"
                " own by the path of a .toml file"
            )
        return entered, load_profile(entered)
    path = Path(folder, entered).resolve()
    try:
        return str(path), load_profile(path)
    except ProfileError as exc:
        raise ValueError(str(exc).removesuffix(".")) from None


def _of_profile(given: dict[str, object]) -> Profile:
    return load_profile(str(given["profile"]))
