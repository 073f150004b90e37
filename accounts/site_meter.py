"""A meter in a site file: what it is, where it answers, and its time at a point."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic import model_validator as check_after

from accounts.connection import Connection
from accounts.form import Amount, Moment, Text, Whole
from meters.form import Form
from meters.profile import Profile, ProfileError, load_profile, profile_names

SERIAL = "^[A-Za-z0-9._-]{1,64}$"
Serial = Annotated[str, StringConstraints(pattern=SERIAL)]
Ratio = Annotated[Whole, Field(gt=0)]
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
        return self


def twice(profile: str) -> str:
    """Say why an installation of a meter that multiplies itself has no ratio."""
    return (
        f"but profile {profile} says that the meter multiplies with its ratios itself: "
        "leave it out, or energy would be multiplied twice"
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
