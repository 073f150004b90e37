"""Device profiles: one TOML file per meter type, strictly read.

A profile says where a meter keeps each quantity and how; `docs/handbook/profiles.md`
shows how to write one. Whatever does not fit raises `ProfileError`, one sentence.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from meters.encoding import Encoding, Order
from meters.form import checked, read_toml
from meters.modbus_profile import Clock, Function, ModbusProfile, Register
from meters.mqtt_profile import MqttProfile, PayloadField
from meters.profile_form import Manual, ProfileError
from meters.sunspec import SunspecProfile, usual_device
from meters.sunspec_form import SunspecForm

__all__ = [
    "PROFILES",
    "Clock",
    "Encoding",
    "Function",
    "Manual",
    "ModbusProfile",
    "MqttProfile",
    "Order",
    "PayloadField",
    "Profile",
    "ProfileError",
    "Register",
    "SunspecProfile",
    "load_profile",
    "profile_names",
]

PROFILES = Path(__file__).parent / "profiles"

Profile = ModbusProfile | MqttProfile
_PROFILE: TypeAdapter[Profile] = TypeAdapter(
    Annotated[Profile, Field(discriminator="transport")]
)


def profile_names() -> list[str]:
    """Names of the profiles that come with the house, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name_or_path: str | Path) -> Profile:
    """Read one profile: one of ours by its name, or a TOML file by its path.

    Raises
    ------
    ProfileError
        One sentence: the file, the key, the reason.

    """
    if isinstance(name_or_path, str) and not name_or_path.endswith(".toml"):
        return _shipped(name_or_path)
    return _unchanged(Path(name_or_path).resolve(), name_or_path)


_FILES: dict[Path, tuple[tuple[int, int], Profile]] = {}


def _unchanged(path: Path, name: str | Path) -> Profile:
    """Read a file once, and again when it was changed: many meters share it."""
    try:
        found = path.stat()
    except OSError:
        return _read(Path(name))  # which says what is wrong
    state = (found.st_mtime_ns, found.st_size)
    known = _FILES.get(path)
    if known is None or known[0] != state:
        known = _FILES[path] = (state, _read(Path(name)))
    return known[1]


@cache
def _shipped(name: str) -> Profile:
    """Read one of ours, once."""
    if name not in profile_names():
        known = ", ".join(profile_names())
        raise ProfileError(f"There is no profile {name!r}; there are {known}.")
    return _read(PROFILES / f"{name}.toml")


def _read(path: Path) -> Profile:
    """Read and check one file."""
    entered = read_toml(path, ProfileError)
    profile = checked(_made, entered, path, ProfileError)
    if profile.name != path.stem:
        raise ProfileError(
            f"{path}: name: is {profile.name!r}, must be the file's, {path.stem!r}."
        )
    return profile


def _made(entered: Mapping[str, object]) -> Profile:
    """Make the profile that was entered; of SunSpec meters that of the usual device."""
    if "layout" in entered:
        return usual_device(SunspecForm.model_validate(entered))
    return _PROFILE.validate_python(entered)
