"""What people enter: a strict form, and one sentence for what is wrong with it.

Profiles, site files, settings and what goes with a replayed file are read with these.
Each room passes the error that it raises; the sentence is the whole message.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, time
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

Checked = TypeVar("Checked")

_NAMES = ("quantity", "code", "serial", "name")
"""Keys by which an item of a list is known to whoever wrote it."""
_LONGEST = 40
"""Of a value that is shown: half a line."""
_ABSENT = ("missing", "union_tag_not_found")
_FOLLOWS = "default_factory_not_called"
"""No mistake of its own: a default that is made of what is wrong."""
_OF_TAGS = ("union_tag_invalid", "union_tag_not_found")
"""A tag is the key that says of which kind a table is, such as `transport`."""
_NEEDED = {
    "dict_type": "should be a table",
    "list_type": "should be a list",
    "model_type": "should be a table",
    "tuple_type": "should be a list",
    "zoneinfo_str": "which is no known time zone",
}
"""For these, pydantic speaks of Python."""


class Form(BaseModel):
    """Base of everything a person enters: no unknown key, no infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_toml(path: Path, error: type[Exception]) -> dict[str, object]:
    """Read a TOML file.

    Raises
    ------
    error
        With one sentence, if it cannot be read, is not UTF-8 or not TOML.

    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise error(f"{path}: cannot be read: {exc.strerror or exc}.") from None
    except UnicodeDecodeError:
        raise error(f"{path}: is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as exc:
        raise error(f"{path}: is not TOML: {exc}.") from None


def checked(
    check: Callable[[Mapping[str, object]], Checked],
    entered: Mapping[str, object],
    source: object,
    error: type[Exception],
) -> Checked:
    """Make a form of what was entered.

    Parameters
    ----------
    check
        Such as `Site.model_validate`.
    entered
        From `read_toml`.
    source
        Where it was entered: the file, most often.
    error
        Of the caller's room.

    Raises
    ------
    error
        With one sentence: `source`, the key path, the reason.

    """
    try:
        return check(entered)
    except ValidationError as exc:
        # The sentence names all there is to know; pydantic's own would repeat it.
        raise error(f"{source}: {sentence(exc, entered)}") from None


def sentence(
    error: ValidationError,
    entered: Mapping[str, object],
    *,
    name_of: Callable[[str], str] = str,
    secrets: Collection[str] = (),
) -> str:
    """Say what is wrong first of all: its key path, the reason, how much more there is.

    Parameters
    ----------
    error
        What pydantic found.
    entered
        What was entered, as nested tables and lists.
    name_of
        What the person calls a key path, where that is not the path itself.
    secrets
        Key paths of values that are not shown.

    """
    found = [one for one in error.errors(include_url=False) if one["type"] != _FOLLOWS]
    # A misspelt key is also a missing one: the misspelling is what helps.
    unknown = (one for one in found if one["type"] == "extra_forbidden")
    first = next(unknown, found[0])
    path = _key_path(first, entered)
    reason = _reason(first, is_secret=path in secrets)
    # Each branch of a union finds its own fault with one value.
    more = len({_key_path(one, entered) for one in found}) - 1
    if meant := _meant(first, found):
        reason += f" (did you mean {meant}?)"
        more -= 1
    told = f"{name_of(path)}: {reason}" if path else reason
    return f"{told} (and {more} more)." if more else f"{told}."


def refuse_repeats(what: str, names: Iterable[str]) -> None:
    """Refuse a name that is there twice; a form's validator raises ValueError."""
    for name, times in Counter(names).items():
        if times > 1:
            raise ValueError(f"{what} {name} is entered {times} times")


def _key_path(found: ErrorDetails, entered: object) -> str:
    """Name a place as its writer does: `accounts[steel].points[Main].name`."""
    steps = found["loc"]
    if found["type"] in _OF_TAGS:  # found in the table, but wrong is its one key
        steps = (*steps, str(found["ctx"]["discriminator"]).strip("'"))
    path, here = "", entered
    for at, step in enumerate(steps):
        is_absent = found["type"] in _ABSENT and at == len(steps) - 1
        if isinstance(step, int) and isinstance(here, Sequence):
            here = here[step]
            path += f"[{_name_of(here) or f'#{step + 1}'}]"
        elif isinstance(here, Mapping) and (step in here or is_absent):
            here = here.get(step)
            path += f".{step}"
        # Anything else is pydantic's name for the branch of a union that it tried.
    return path.removeprefix(".")


def _name_of(item: object) -> str | None:
    if not isinstance(item, Mapping):
        return None
    names = (item[key] for key in _NAMES if key in item)
    return next((name for name in names if isinstance(name, str)), None)


def _meant(first: ErrorDetails, found: Iterable[ErrorDetails]) -> str | None:
    """Return the key that is missing where an unknown one is much like it."""
    if first["type"] != "extra_forbidden":
        return None
    *table, key = first["loc"]
    missing = [
        str(one["loc"][-1])
        for one in found
        if one["type"] == "missing" and [*one["loc"][:-1]] == table
    ]
    return next(iter(get_close_matches(str(key), missing, n=1)), None)


def _reason(found: ErrorDetails, *, is_secret: bool) -> str:
    """Say what is wrong with one value."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return "is not a known key"
    if kind in _ABSENT:
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "union_tag_invalid":
        tags = str(context["expected_tags"]).replace(", ", " or ")
        return f"is {context['tag']!r}, should be {tags}"
    message = _NEEDED.get(kind, found["msg"].removeprefix("Input "))
    needed = f"{message[0].lower()}{message[1:]}"
    return needed if is_secret else f"is {_shown(found['input'])}, {needed}"


def _shown(value: object) -> str:
    """Show a value as its writer knows it, but not a whole table."""
    if isinstance(value, Mapping):
        return "a table"
    text = str(value) if isinstance(value, (date, time)) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
