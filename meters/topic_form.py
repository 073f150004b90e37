"""Topics with names in them, and serial numbers made of those names. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

_NAME = re.compile(r"\{([a-z_]+)\}")
_SEPARATORS = frozenset("._-")


@dataclass(frozen=True, slots=True)
class TopicForm:
    """An MQTT topic of which some levels are names, or anything at all."""

    levels: tuple[str, ...]
    """Each a text, `+`, or `{name}`."""
    places: Mapping[str, int]
    """At which level each name stands."""

    @classmethod
    @cache
    def of(cls, text: str) -> Self:
        """Read it as a person writes it.

        Raises
        ------
        ValueError
            If a level is half a name, a name is there twice, or a wildcard is no level.

        """
        levels = text.split("/")
        places: dict[str, int] = {}
        for at, level in enumerate(levels):
            named = _NAME.fullmatch(level)
            if named is not None:
                if named[1] in places or named[1] == "item":
                    raise ValueError(f"{level} cannot be a level of it once more")
                places[named[1]] = at
            elif level != "+" and set(level) & set("+#{}\0"):
                raise ValueError(
                    f"level {level!r} should be a text, one name in braces such as "
                    "{serial}, or +"
                )
        return cls(tuple(levels), places)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its levels, in their order."""
        return tuple(self.places)

    @property
    def wildcard(self) -> str:
        """The filter by which a broker knows all topics of this form."""
        return self.written({})

    def written(self, named: Mapping[str, str]) -> str:
        """Return the topic with names replaced; what is not given stays a wildcard."""
        return "/".join(
            named.get(level[1:-1], "+") if level.startswith("{") else level
            for level in self.levels
        )

    def overlaps(self, other: "TopicForm") -> bool:
        """Whether one topic can be of both forms.

        Examples
        --------
        >>> TopicForm.of("a/{serial}").overlaps(TopicForm.of("+/{serial}"))
        True
        >>> TopicForm.of("a/{serial}/x").overlaps(TopicForm.of("a/{serial}/y"))
        False

        """
        levels, others = self.wildcard.split("/"), other.wildcard.split("/")
        return len(levels) == len(others) and all(
            one == its or "+" in (one, its)
            for one, its in zip(levels, others, strict=True)
        )

    def names_in(self, topic: str) -> dict[str, str] | None:
        """Return what stands in place of the names; None for another topic.

        Examples
        --------
        >>> TopicForm.of("tele/{serial}/SENSOR").names_in("tele/KW-1/SENSOR")
        {'serial': 'KW-1'}
        >>> TopicForm.of("tele/{serial}/SENSOR").names_in("tele/KW-1/STATE")

        """
        levels = topic.split("/")
        if len(levels) != len(self.levels):
            return None
        for level, own in zip(levels, self.levels, strict=True):
            if own not in (level, "+") and not own.startswith("{"):
                return None
        if topic.startswith("$") and not self.levels[0].startswith("$"):
            return None
        return {name: levels[at] for name, at in self.places.items()}


@dataclass(frozen=True, slots=True)
class SerialForm:
    """How a serial number is made of names; of no two sets of names the same."""

    text: str
    names: tuple[str, ...]
    reader: re.Pattern[str]

    @classmethod
    @cache
    def of(cls, text: str) -> Self:
        """Read it as a person writes it.

        Raises
        ------
        ValueError
            If a name is there twice, or two have nothing between them.

        """
        between = _NAME.split(text)
        names, texts = between[1::2], between[0::2]
        if len(set(names)) < len(names):
            raise ValueError(f"meter: is {text!r}, with a name in it twice")
        if any(set(part) & set("{}+#/") for part in texts):
            raise ValueError(f"meter: is {text!r}, not names in braces and texts")
        if any(not set(part) & _SEPARATORS for part in texts[1:-1]):
            raise ValueError(
                f"meter: is {text!r}, needs a dot, dash or underscore between two names"
            )
        # A name that itself held a separator could be read in two ways: it fits none.
        parting = re.escape("".join(sorted(set("".join(texts[1:-1])) & _SEPARATORS)))
        one = f"([^{parting}]+)" if parting else "(.+)"
        reader = one.join(re.escape(part) for part in texts)
        return cls(text, tuple(names), re.compile(reader, re.DOTALL))

    def serial(self, named: Mapping[str, str]) -> str | None:
        """Make the serial number; None where a name does not fit into one.

        Examples
        --------
        >>> SerialForm.of("{node}.{device}").serial({"node": "N7", "device": "M1"})
        'N7.M1'
        >>> SerialForm.of("{node}.{device}").serial({"node": "N.7", "device": "M1"})

        """
        made = self.text
        for name in self.names:
            made = made.replace(f"{{{name}}}", named[name], 1)
        read = self.named(made)
        if read is None or any(read[name] != named[name] for name in self.names):
            return None
        return made

    def named(self, serial: str) -> dict[str, str] | None:
        """Inverse of `serial`: the names in it; None where it was not made so."""
        found = self.reader.fullmatch(serial)
        return dict(zip(self.names, found.groups(), strict=True)) if found else None
