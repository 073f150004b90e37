"""A topic is one meter's: no two sets of names make the same serial number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.topic_form import SerialForm, TopicForm

LEVELS = st.text("ab._-", min_size=1, max_size=4)


def test_names_come_out_of_a_topic() -> None:
    form = TopicForm.of("spBv1.0/{group}/+/{node}/{device}")
    assert form.wildcard == "spBv1.0/+/+/+/+"
    assert form.names_in("spBv1.0/g/DDATA/n/d") == {
        "group": "g",
        "node": "n",
        "device": "d",
    }
    assert form.names_in("spBv1.0/g/DDATA/n") is None
    assert form.names_in("spAv1.0/g/DDATA/n/d") is None
    assert form.written({"group": "g", "node": "n"}) == "spBv1.0/g/+/n/+"


def test_a_broker_keeps_its_own_topics_from_a_wildcard() -> None:
    # MQTT 3.1.1, 4.7.2: filters that begin with a wildcard match no $SYS topics.
    assert TopicForm.of("{serial}/status/em:0").names_in("$SYS/status/em:0") is None


@pytest.mark.parametrize(
    "topic", ["a/x{serial}", "a/#", "a/{Serial}", "a/b+", "{a}/{a}"]
)
def test_half_a_level_is_no_name(topic) -> None:
    with pytest.raises(ValueError, match="level"):
        TopicForm.of(topic)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{node}{device}", "between two names"),
        ("{node}x{device}", "between two names"),
        ("{a}.{a}", "twice"),
        ("{node}.{", "not names in braces"),
        ("{node}/{device}", "not names in braces"),
    ],
)
def test_a_serial_number_that_could_be_two_is_refused(text, said) -> None:
    with pytest.raises(ValueError, match=said):
        SerialForm.of(text)


@given(
    st.sampled_from(["{a}.{b}", "{b}-{a}", "x_{a}.-{b}", "{a}._{b}-{c}"]),
    st.fixed_dictionaries({"a": LEVELS, "b": LEVELS, "c": LEVELS}),
    st.fixed_dictionaries({"a": LEVELS, "b": LEVELS, "c": LEVELS}),
)
def test_no_two_speak_for_one_meter(text, one, other) -> None:
    form = SerialForm.of(text)
    one, other = ({name: of[name] for name in form.names} for of in (one, other))
    serial = form.serial(one)
    if serial is not None:
        assert form.named(serial) == one
        assert (form.serial(other) == serial) == (one == other)


@given(LEVELS)
def test_a_single_name_is_the_serial_number_whatever_is_in_it(level) -> None:
    assert SerialForm.of("{serial}").serial({"serial": level}) == level
    assert SerialForm.of("{serial}-b").named(f"{level}-b") == {"serial": level}
