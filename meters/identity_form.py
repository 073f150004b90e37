"""The form of what a Modbus meter says once: who it is, and its ratios."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meters.encoding import Encoding
from meters.modbus_parts import Number, Ordered, Placed
from meters.profile_form import FROM_TEXT
from meters.ratios import RatioName

_Text = Annotated[str, Field(min_length=1)]


class Identity(Placed, Ordered):
    """Registers that tell a meter's type, or which one of its type it is."""

    name: Literal["maker", "model", "serial", "firmware"]
    encoding: Literal["string"] | Annotated[Encoding, FROM_TEXT]
    """`string`: ASCII, two letters a register, ended by NULs or spaces."""
    length: int | None = Field(default=None, ge=1, le=125)
    """How many registers a string takes."""
    expect: (
        int
        | _Text
        | Annotated[tuple[int | _Text, ...], FROM_TEXT, Field(min_length=1)]
        | None
    ) = None
    """What a meter of this type says; `*` and `?` in a text stand for any letters."""

    @property
    def words(self) -> int:
        """How many 16-bit registers it takes."""
        if isinstance(self.encoding, Encoding):
            return self.encoding.words
        return self.length or 1

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    @property
    def expected(self) -> tuple[int | str, ...]:
        """All that a meter of this type may say; empty: anything."""
        if self.expect is None:
            return ()
        return self.expect if isinstance(self.expect, tuple) else (self.expect,)

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Refuse a string without length, or an expected value of another kind."""
        is_text = self.encoding == "string"
        if is_text and self.length is None:
            raise ValueError("a string needs its length, in registers")
        if not is_text and self.length is not None:
            raise ValueError(f"{self.encoding} has its own length; leave length out")
        for one in self.expected:
            if isinstance(one, str) != is_text:
                raise ValueError(
                    f"expect: {one!r} is nothing that {self.encoding} says"
                )
        return self


class Ratio(Placed, Number):
    """A transformer ratio that the meter was given, to compare with the installation.

    Either the ratio itself or both of its sides.
    """

    name: RatioName

    @property
    def label(self) -> str:
        """Its name."""
        return self.name
