"""What a meter, or the broker in its name, says of being there. Pure.

A meter leaves a last will with the broker and then says that it is online; when its
connection breaks, the broker publishes the will: that it is not. Both are retained, so
that who comes later learns the present state, too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import Field, field_validator, model_validator

from meters.meter import Meter
from meters.payload_error import PayloadError, short
from meters.profile_form import Strict
from meters.refusal import Reason
from meters.topic_form import SerialForm, TopicForm


class PresenceForm(Strict):
    """Where a meter's presence is told, and by which texts."""

    topic: str
    """With the same names in braces as in the topic of its readings."""
    online: str = Field(min_length=1)
    """The whole payload."""
    offline: str = Field(min_length=1)

    @property
    def topic_form(self) -> TopicForm:
        """The topic, read."""
        return TopicForm.of(self.topic)

    @field_validator("topic")
    @classmethod
    def _topic_is_sound(cls, topic: str) -> str:
        TopicForm.of(topic)
        return topic

    @model_validator(mode="after")
    def _says_two_things(self) -> "PresenceForm":
        if self.online == self.offline:
            raise ValueError(f"offline: is {self.offline!r}, as online is")
        return self

    def is_online(self, payload: bytes) -> bool:
        """Read a message.

        Raises
        ------
        PayloadError
            If it is neither text. It speaks of no reading.

        """
        if payload == self.online.encode():
            return True
        if payload == self.offline.encode():
            return False
        told = short(payload.decode(errors="replace"))
        text = f"{told} is neither {self.online!r} nor {self.offline!r}."
        raise PayloadError(Reason.NOT_IN_SCHEMA, text, readings=0)


class Presence(NamedTuple):
    """A meter's state, as it was told last."""

    meter_id: int
    is_online: bool
    told_at: datetime
    """When the message came, by the site's clock."""


class PresencePattern(NamedTuple):
    """Whose presence is told on the topics of one profile."""

    form: PresenceForm
    serial_form: SerialForm
    meters: Mapping[str, Meter]
    """By their serial numbers."""

    def is_of(self, topic: str) -> bool:
        """Whether presences are told on a topic, of whatever meter."""
        return self.form.topic_form.names_in(topic) is not None

    def meter_on(self, topic: str) -> Meter | None:
        """Return the one meter that a topic may speak of."""
        named = self.form.topic_form.names_in(topic)
        serial = None if named is None else self.serial_form.serial(named)
        return self.meters.get(serial or "")
