"""The form of an MQTT meter's profile: its topics, and what stands in its messages."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from meters.form import refuse_repeats
from meters.json_path import Path, parse_path
from meters.presence import PresenceForm
from meters.profile_form import FROM_TEXT, MeterType, Strict, checked_zone
from meters.quantity import Quantity
from meters.ratios import RatioName
from meters.topic_form import SerialForm, TopicForm

ARRIVAL = "arrival"
"""Instead of a path: the message does not say when, so it is when it came."""


def _checked_path(text: str) -> str:
    """Refuse what is no path; keep it as it was written."""
    parse_path(text)
    return text


JsonPath = Annotated[str, AfterValidator(_checked_path)]


class PayloadField(Strict):
    """Where one quantity stands in a reading."""

    quantity: Annotated[Quantity, FROM_TEXT]
    path: str = Field(min_length=1)
    """JSON: names of nested fields, joined by dots (`json_path`). Sparkplug B: the
    metric's name."""
    scale: float = Field(default=1.0, gt=0)
    """The quantity's unit for one unit of the field."""
    if_list: Literal["refuse", "first", "sum", "skip"] = "refuse"
    """Meters of several phases often send a list where others send one number."""
    unit: str | None = Field(default=None, min_length=1)
    """JSON: path of the text that states the value's unit. Sparkplug B states it by
    itself; "ignore" where a device states a wrong one."""


class StatedRatio(Strict):
    """Where a message says which transformer ratio was set in its meter."""

    name: RatioName
    path: str = Field(min_length=1)
    """As a quantity's."""


class MessageForm(Strict):
    """One kind of message: where it arrives and what stands in it."""

    topic: str
    """Where it arrives. `{serial}`, or other names in braces of which `meter` is made,
    stand for a whole level; `+` for a level that says nothing."""
    meter: str = "{serial}"
    """The meter's serial number, made of the names in the topic and of `{item}`."""
    serial: JsonPath | None = None
    """Path of the field that names the meter, too; it must agree."""
    measured_at: JsonPath | None = None
    """JSON: path, in each reading, of its time; or "arrival"."""
    time_format: Literal["iso8601", "unix-s", "unix-ms"] = "iso8601"
    zone: str | None = None
    """Of ISO 8601 times without an offset; where None, they are refused."""
    batch: JsonPath | None = None
    """Path of a list of readings where a message carries several."""
    item_serial: JsonPath | None = None
    """Path, in each reading of `batch`, of `{item}`: each may be another meter's."""
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    numbers: Literal["number", "text"] = "number"
    """`text`: a number may come as a text, too, such as "230.1"."""
    no_value: Literal["refuse", "ignore"] = "refuse"
    """A message, or a reading in it, that holds none of `fields`."""
    fields: Annotated[tuple[PayloadField, ...], FROM_TEXT] = Field(min_length=1)
    ratio: Annotated[tuple[StatedRatio, ...], FROM_TEXT] = ()
    """Beside `serial`; in a message with several meters in each reading."""

    _check_zone = field_validator("zone")(checked_zone)

    @property
    def topic_form(self) -> TopicForm:
        """The topic, read."""
        return TopicForm.of(self.topic)

    @property
    def serial_form(self) -> SerialForm:
        """How a serial number is made, read."""
        return SerialForm.of(self.meter)

    @property
    def is_stamped_on_arrival(self) -> bool:
        """Whether its values are worth nothing once they have waited somewhere."""
        return self.measured_at == ARRIVAL

    @field_validator("topic")
    @classmethod
    def _topic_is_sound(cls, topic: str) -> str:
        TopicForm.of(topic)
        return topic

    @model_validator(mode="after")
    def _names_its_meter(self) -> Self:
        """Every name in the topic is part of the meter's, and the other way round."""
        named = set(self.topic_form.names)
        if self.item_serial is not None:
            named.add("item")
        used = set(self.serial_form.names)
        if not used or used - named:
            unknown = ", ".join(f"{{{name}}}" for name in sorted(used - named))
            raise ValueError(f"topic: one level must be {unknown or '{serial}'}")
        if unused := named - used:
            raise ValueError(
                f"meter: is {self.meter!r}, without {{{min(unused)}}}: whoever differs "
                "there alone would speak for the same meter"
            )
        if self.item_serial is not None and self.batch is None:
            raise ValueError("item_serial: needs batch, the list of its items")
        return self


class MqttProfile(MeterType, MessageForm):
    """All the collector must know about one kind of MQTT meter."""

    transport: Literal["mqtt"]
    format: Literal["json", "sparkplug-b"] = "json"
    strangers: Literal["quarantine", "ignore"] = "quarantine"
    """What becomes of messages on its topics by meters that nobody has entered."""
    max_bytes: int = Field(default=256 * 1024, ge=64)
    """Of one message, and of what it unpacks to."""
    max_readings: int = Field(default=5000, ge=1)
    """More than any honest batch holds within `max_bytes`: each is work to judge."""
    more: Annotated[tuple[MessageForm, ...], FROM_TEXT] = ()
    """Further kinds of messages of the same meter, on other topics."""
    presence: PresenceForm | None = None
    """Where it is told whether the meter is online, by a last will."""

    @property
    def messages(self) -> tuple["MqttProfile", ...]:
        """Each kind of message as a profile of its own, the first one first."""
        if not self.more:
            return (self,)
        # By identity: others remember by it, too, what they made of a kind.
        known = _KINDS.get(id(self))
        if known is None:
            forms = [{}, *(dict(form) for form in self.more)]
            kinds = (self.model_copy(update={**form, "more": ()}) for form in forms)
            known = _KINDS[id(self)] = (self, tuple(kinds))
        return known[1]

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        """Check what no single key shows."""
        kinds: list[MessageForm] = [self, *self.more]
        if self.format == "sparkplug-b":
            _check_sparkplug(self)
        else:
            for kind in kinds:
                _check_json(kind)
        refuse_repeats("topic", (kind.topic_form.wildcard for kind in kinds))
        if self.presence is not None:
            _check_presence(self.presence, self.serial_form.names, kinds)
        for kind in kinds:
            refuse_repeats("quantity", (field.quantity for field in kind.fields))
            refuse_repeats("name", (one.name for one in kind.ratio))
        return self


_KINDS: dict[int, tuple[MqttProfile, tuple[MqttProfile, ...]]] = {}


def _check_presence(
    presence: PresenceForm, used: Sequence[str], kinds: Iterable[MessageForm]
) -> None:
    """Demand a topic of its own that names one meter: a will speaks for nobody else."""
    form = presence.topic_form
    if set(form.names) != set(used):
        names = ", ".join(f"{{{name}}}" for name in used)
        raise ValueError(
            f"presence.topic: is {presence.topic!r}, must have the names that make "
            f"the serial number, {names}, and no other"
        )
    for kind in kinds:
        if kind.topic_form.overlaps(form):
            raise ValueError(
                f"presence.topic: is {presence.topic!r}, where readings may come too "
                f"({kind.topic})"
            )


def _check_json(kind: MessageForm) -> None:
    """Demand a time, and that no two things stand at one path."""
    if kind.measured_at is None:
        raise ValueError(
            'measured_at: is missing (a path; "arrival" where no time is sent)'
        )
    if kind.zone is not None and (
        kind.time_format != "iso8601" or kind.is_stamped_on_arrival
    ):
        raise ValueError("zone: only ISO 8601 times need one")
    inside = [field.path for field in kind.fields]
    if not kind.is_stamped_on_arrival:
        inside.append(kind.measured_at)
    if kind.item_serial is not None:
        inside.append(kind.item_serial)
    inside += [field.unit for field in kind.fields if field.unit is not None]
    outside = [text for text in (kind.serial, kind.batch) if text and text != "$"]
    ratios = [one.path for one in kind.ratio]
    (outside if kind.item_serial is None else inside).extend(ratios)
    if kind.batch == "$" and kind.serial is not None:
        raise ValueError("serial: a message that is itself a list has no such field")
    if kind.batch == "$" and kind.item_serial is None and kind.ratio:
        raise ValueError("ratio: a message that is itself a list has no such field")
    listed = {field.path for field in kind.fields if field.if_list != "refuse"}
    paths = [(text, _read_path(kind, text)) for text in [*inside, *outside]]
    lists = {path for text, path in paths if text in listed}
    for at, (text, path) in enumerate(paths):
        if any(_clash(path, other, lists) for _, other in paths[:at] + paths[at + 1 :]):
            raise ValueError(f"two things stand at {text}")


def _read_path(kind: MessageForm, text: str) -> Path:
    """Read a path; say which field's it is where it is none."""
    try:
        return parse_path(text)
    except ValueError as exc:
        named = {one.path: f"ratio[{one.name}].path" for one in kind.ratio}
        for one in kind.fields:
            named[one.unit or ""] = f"fields[{one.quantity}].unit"
            named[one.path] = f"fields[{one.quantity}].path"
        raise ValueError(f"{named[text]}: {exc}") from exc


def _clash(path: Path, other: Path, lists: set[Path]) -> bool:
    """Whether something stands at a path where another is, or further inside it.

    A number that may also be a list shares its place with the items of that list.
    """
    if other[: len(path)] != path:
        return False
    return not (
        path in lists and len(other) == len(path) + 1 and isinstance(other[-1], int)
    )


_LEVELS = (4, 5)
_ELSEWHERE = ("serial", "measured_at", "zone", "batch", "item_serial", "presence")


def _check_sparkplug(profile: MqttProfile) -> None:
    """Refuse what a Sparkplug B message has by itself."""
    for key in _ELSEWHERE:
        if getattr(profile, key) is not None:
            raise ValueError(f"{key}: means nothing to sparkplug-b; leave it out")
    if profile.more:
        raise ValueError("more: means nothing to sparkplug-b; leave it out")
    if profile.unknown_fields != "ignore":
        raise ValueError(
            'unknown_fields: must be "ignore": births bear metrics of all kinds'
        )
    paths = [field.path for field in profile.fields]
    refuse_repeats("path", (*paths, *(one.path for one in profile.ratio)))
    for field in profile.fields:
        if field.unit not in {None, "ignore"}:
            raise ValueError(
                f'fields[{field.quantity}].unit: is {field.unit!r}, should be "ignore"'
                " or left out: a birth states units by itself"
            )
    levels = profile.topic.split("/")
    if len(levels) not in _LEVELS or levels[2] != "+" or {"+", "{"} & set(levels[0]):
        raise ValueError(
            f"topic: is {profile.topic!r}, should be spBv1.0/GROUP/+/NODE/DEVICE, with "
            "{names} at node and device"
        )
