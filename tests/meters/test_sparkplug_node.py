"""What an edge node says counts under its birth, and under no other."""

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meters.heard import Message
from meters.quantity import Quantity
from meters.ratios import Ratios
from meters.refusal import Reason
from meters.sparkplug import (
    Kind,
    Metric,
    SparkplugPayload,
    decode_sparkplug,
    encode_sparkplug,
)
from meters.sparkplug_edge import SparkplugEdge
from meters.sparkplug_node import EdgeNode
from meters.sparkplug_types import DataType
from tests.meters.sparkplug_plant import (
    NAMES,
    NOW,
    PROFILE,
    START_MS,
    Node,
    Sent,
    facts_of,
    hear,
    listening,
)

REBIRTH = "spBv1.0/keywatt/NCMD/N"


def reasons(heard) -> list[Reason]:
    return [fault.reason for _, fault in heard.faults]


def born(*devices: str):
    """A listener, and a node of which it has heard the births."""
    listener, node = listening("N.a", "N.b"), Node()
    hear(listener, node.nbirth())
    for device in devices:
        hear(listener, node.dbirth(device, NAMES))
    return listener, node


def test_births_and_data_become_readings() -> None:
    listener, node = listening("N.a"), Node()
    assert facts_of(hear(listener, node.nbirth())) == []
    for sent in (node.dbirth("a", NAMES), node.ddata("a", NAMES[1:])):
        heard = hear(listener, sent)
        assert facts_of(heard) == sent.facts
        assert not heard.faults
        assert not heard.to_publish


def test_each_metric_is_of_its_own_time_and_history_of_its() -> None:
    listener, node = born("a")
    aliases = node.aliases["a"]
    early, late = START_MS - 60_000, START_MS
    metrics = (
        Metric(
            alias=aliases[NAMES[0]], timestamp_ms=early, is_historical=True, value=1.0
        ),
        Metric(
            alias=aliases[NAMES[1]], timestamp_ms=early, is_historical=True, value=2.0
        ),
        Metric(alias=aliases[NAMES[0]], value=3.0),
        Metric(alias=aliases[NAMES[2]], is_null=True),
    )
    payload = encode_sparkplug(
        SparkplugPayload(timestamp_ms=late, seq=2, metrics=metrics)
    )
    topic = "spBv1.0/keywatt/DDATA/N/a"
    heard = hear(listener, Sent(topic, payload, Kind.DDATA, "a", 2))
    assert [(one.measured_at, one.values) for _, one in heard.readings] == [
        (
            NOW - timedelta(minutes=61),
            {Quantity.ACTIVE_POWER_KW: 1, Quantity.ACTIVE_POWER_L1_KW: 2},
        ),
        (NOW - timedelta(minutes=60), {Quantity.ACTIVE_POWER_KW: 3}),
    ]


def test_data_before_any_birth_is_refused_and_the_birth_asked_for() -> None:
    listener, node = listening("N.a"), Node()
    node.aliases["a"] = dict.fromkeys(NAMES, 1)
    heard = hear(listener, node.ddata("a", NAMES))
    assert reasons(heard) == [Reason.NO_BIRTH]
    # Four metrics of four times would have been four readings.
    assert heard.faults[0][1].readings == 4
    ((topic, payload),) = heard.to_publish
    assert topic == REBIRTH
    (metric,) = decode_sparkplug(payload).metrics
    assert (metric.name, metric.value) == ("Node Control/Rebirth", True)


def test_a_rebirth_is_asked_for_ever_more_rarely() -> None:
    listener, node = listening("N.a"), Node()
    node.aliases["a"] = dict.fromkeys(NAMES, 1)
    asked = [
        second
        for second in range(1200)
        if hear(listener, node.ddata("a", NAMES), second).to_publish
    ]
    # 10 s, doubling to 300 s.
    assert asked == [0, 10, 30, 70, 150, 310, 610, 910]
    # After a quiet while it is urgent again.
    again = [hear(listener, node.ddata("a", NAMES), s).to_publish for s in (3000, 3010)]
    assert all(again)


def test_a_gap_is_seen_and_all_refused_until_the_next_birth() -> None:
    listener, node = born("a")
    node.ddata("a", NAMES)  # lost
    heard = hear(listener, node.ddata("a", NAMES))
    assert reasons(heard) == [Reason.SEQUENCE_GAP]
    assert heard.faults[0][1].text == (
        "A message of the edge node is missing: seq is 3, not 2. Its births may be "
        "others now."
    )
    assert [topic for topic, _ in heard.to_publish] == [REBIRTH]
    for sent in (node.ddata("a", NAMES), node.dbirth("a", NAMES)):
        assert reasons(hear(listener, sent)) == [Reason.SEQUENCE_GAP]
    assert not hear(listener, node.nbirth()).faults
    sent = node.dbirth("a", NAMES[::-1])
    assert facts_of(hear(listener, sent)) == sent.facts


def test_a_birth_of_the_node_ends_those_of_its_devices() -> None:
    listener, node = born("a")
    aliases = node.aliases["a"]
    hear(listener, node.nbirth())
    node.aliases["a"] = aliases
    heard = hear(listener, node.ddata("a", NAMES))
    assert reasons(heard) == [Reason.NO_BIRTH]
    assert not heard.readings


def test_the_number_after_255_is_0() -> None:
    listener, node = born("a")
    for _ in range(600):
        sent = node.ddata("a", NAMES[:1])
        assert facts_of(hear(listener, sent)) == sent.facts


def test_a_birth_gives_aliases_anew() -> None:
    listener, node = born("a")
    swapped = node.dbirth("a", NAMES[::-1])
    assert facts_of(hear(listener, swapped)) == swapped.facts
    sent = node.ddata("a", NAMES)
    assert facts_of(hear(listener, sent)) == sent.facts


def test_two_devices_may_use_the_same_aliases() -> None:
    listener, node = born("a")
    hear(listener, node.dbirth("b", NAMES[::-1]))
    for device in ("a", "b"):
        sent = node.ddata(device, NAMES)
        assert facts_of(hear(listener, sent)) == sent.facts


def test_an_alias_that_two_metrics_claim_is_neither() -> None:
    listener, node = listening("N.a"), Node()
    hear(listener, node.nbirth())
    metrics = tuple(
        Metric(name=name, alias=7, datatype=10, timestamp_ms=START_MS, value=1.0)
        for name in NAMES[:2]
    )
    payload = encode_sparkplug(SparkplugPayload(seq=1, metrics=metrics))
    topic = "spBv1.0/keywatt/DBIRTH/N/a"
    heard = hear(listener, Sent(topic, payload, Kind.DBIRTH, "a", 1))
    assert reasons(heard) == [Reason.UNKNOWN_METRIC] * 2
    assert not heard.to_publish  # it would be the same again
    node.seq, node.aliases["a"] = 1, {NAMES[0]: 7}
    heard = hear(listener, node.ddata("a", NAMES[:1]))
    assert reasons(heard) == [Reason.UNKNOWN_METRIC]
    assert not heard.readings


@pytest.mark.parametrize("named", [True, False])
def test_a_metric_that_the_birth_does_not_tell_is_refused_alone(named) -> None:
    listener, node = born()
    hear(listener, node.dbirth("a", NAMES[:2]))
    node.aliases["a"] |= {NAMES[2]: 99}
    sent = node.ddata("a", NAMES[:3], named=named)
    heard = hear(listener, sent)
    assert facts_of(heard) == sent.facts[:2]
    assert reasons(heard) == [Reason.UNKNOWN_METRIC]
    assert [topic for topic, _ in heard.to_publish] == [REBIRTH]


def test_a_name_that_contradicts_its_alias_is_refused() -> None:
    listener, node = born("a")
    node.aliases["a"] = dict.fromkeys(NAMES, 0)
    heard = hear(listener, node.ddata("a", NAMES[1:2], named=True))
    assert reasons(heard) == [Reason.UNKNOWN_METRIC]


def test_a_device_that_died_has_to_be_born_again() -> None:
    listener, node = born("a", "b")
    hear(listener, node.ddeath("a"))
    node.aliases["a"] = node.aliases["b"]
    assert reasons(hear(listener, node.ddata("a", NAMES))) == [Reason.NO_BIRTH]
    sent = node.ddata("b", NAMES)
    assert facts_of(hear(listener, sent)) == sent.facts


def test_the_will_of_an_older_session_kills_nobody() -> None:
    listener, node = listening("N.a"), Node(session=4)
    hear(listener, node.nbirth())
    hear(listener, node.dbirth("a", NAMES))
    hear(listener, node.ndeath(session=3))
    sent = node.ddata("a", NAMES)
    assert facts_of(hear(listener, sent)) == sent.facts
    hear(listener, node.ndeath())
    heard = hear(listener, node.ddata("a", NAMES))
    assert reasons(heard) == [Reason.NO_BIRTH]


def test_what_a_broker_gives_again_is_read_again_and_is_no_gap() -> None:
    listener, node = born("a")
    sent = [node.ddata("a", NAMES) for _ in range(5)]
    for one in [*sent, *sent[2:]]:
        assert facts_of(hear(listener, one)) == one.facts
    following = node.ddata("a", NAMES)
    assert facts_of(hear(listener, following)) == following.facts


def data_of(*metrics: Metric, at_ms: int | None = START_MS) -> Sent:
    """DDATA that follows the birth of one device."""
    payload = SparkplugPayload(timestamp_ms=at_ms, seq=2, metrics=metrics)
    topic = "spBv1.0/keywatt/DDATA/N/a"
    return Sent(topic, encode_sparkplug(payload), Kind.DDATA, "a", 2)


@pytest.mark.parametrize(
    ("metric", "at_ms", "reason", "said"),
    [
        (Metric(alias=0, value=1.0), None, Reason.NOT_IN_SCHEMA, "without a time"),
        # The first millisecond of the year 10000, and the last that can be sent.
        (
            Metric(alias=0, value=1.0, timestamp_ms=253_402_300_800_000),
            0,
            Reason.NOT_IN_SCHEMA,
            "253402300800000 ms since 1970: no time.",
        ),
        (Metric(alias=0, value=1.0), 2**64 - 1, Reason.NOT_IN_SCHEMA, "no time."),
        (
            Metric(alias=0, value="1"),
            START_MS,
            Reason.NOT_IN_SCHEMA,
            "'1', which is no",
        ),
        (Metric(alias=0), START_MS, Reason.NOT_IN_SCHEMA, "null, which is no number"),
        (
            Metric(alias=0, datatype=DataType.FLOAT, value=1.0),
            START_MS,
            Reason.NOT_IN_SCHEMA,
            "Power/Active is 1.0, which is no number of its data type, 10.",
        ),
        (
            Metric(alias=0, value=float("nan")),
            START_MS,
            Reason.NOT_A_NUMBER,
            "Power/Active is nan, not a finite number.",
        ),
    ],
)
def test_a_metric_that_cannot_be_is_refused_alone(metric, at_ms, reason, said) -> None:
    listener, _ = born("a")
    good = Metric(alias=1, timestamp_ms=START_MS, value=2.0)
    heard = hear(listener, data_of(metric, good, at_ms=at_ms))
    assert [one.values for _, one in heard.readings] == [
        {Quantity.ACTIVE_POWER_L1_KW: 2.0}
    ]
    assert reasons(heard) == [reason]
    assert said in heard.faults[0][1].text


def test_two_values_of_one_metric_and_time_are_not_both_right() -> None:
    listener, _ = born("a")
    values = (Metric(alias=0, value=value) for value in (1.0, 1.0, 2.0))
    heard = hear(listener, data_of(*values))
    assert [one.values for _, one in heard.readings] == [{Quantity.ACTIVE_POWER_KW: 1}]
    assert [fault.text for _, fault in heard.faults] == [
        "Power/Active is there twice for one time, differently."
    ]


def test_what_is_given_again_under_another_birth_is_not_misread() -> None:
    listener, node = born("a")
    old = node.ddata("a", NAMES)
    hear(listener, old)
    hear(listener, node.dbirth("a", NAMES[::-1]))
    heard = hear(listener, old)  # its aliases are others now
    assert facts_of(heard) in ([], old.facts)
    assert heard.faults or heard.readings


def test_what_the_broker_retained_is_refused() -> None:
    listener, node = listening("N.a"), Node()
    birth = node.nbirth()
    heard = listener.hear(Message(birth.topic, birth.payload, NOW, is_retained=True))
    assert reasons(heard) == [Reason.RETAINED]
    assert reasons(hear(listener, node.dbirth("a", NAMES))) == [Reason.NO_BIRTH]


def test_garbage_is_refused_and_changes_nothing() -> None:
    listener, node = born("a")
    topic = "spBv1.0/keywatt/DDATA/N/a"
    heard = hear(listener, Sent(topic, b"\xff", Kind.DDATA, "a", None))
    assert reasons(heard) == [Reason.NOT_SPARKPLUG]
    sent = node.ddata("a", NAMES)
    assert facts_of(hear(listener, sent)) == sent.facts


@pytest.mark.parametrize("topic", [REBIRTH, "spBv1.0/keywatt/DCMD/N/a"])
def test_commands_are_none_of_our_concern(topic) -> None:
    heard = listening("N.a").hear(Message(topic, b"\xff", NOW))
    assert heard is not None
    assert not heard.faults


def test_devices_that_are_no_meters_are_passed_over() -> None:
    listener, node = born("a")
    heard = hear(listener, node.dbirth("pump", NAMES))
    assert not heard.readings
    assert not heard.faults
    sent = node.ddata("a", NAMES)  # its number was counted
    assert facts_of(hear(listener, sent)) == sent.facts


def test_no_node_speaks_for_anothers_meter() -> None:
    listener, node = listening("N.a", "M.a"), Node()
    hear(listener, node.nbirth())
    sent = node.dbirth("a", NAMES)
    assert {serial for serial, *_ in facts_of(hear(listener, sent))} == {"N.a"}


def test_an_edge_node_cannot_make_us_remember_without_end() -> None:
    node = EdgeNode()
    birth = SparkplugPayload(seq=0)
    node.take(Kind.NBIRTH, None, birth, b"")
    metrics = tuple(Metric(name=f"m{n}", alias=n) for n in range(10_000))
    refused = [
        node.take(
            Kind.DBIRTH,
            f"d{n}",
            SparkplugPayload(seq=n % 256, metrics=metrics),
            b"%d" % n,
        ).faults
        for n in range(1, 20)
    ]
    # 100,000 definitions are the most: ten devices of 10,000.
    assert [bool(faults) for faults in refused] == [False] * 10 + [True] * 9
    assert refused[-1][0].reason is Reason.TOO_LARGE
    # A device whose new birth was too much is not read under its old one.
    larger = tuple(Metric(name=f"x{n}", alias=n) for n in range(20_000))
    node.take(Kind.DBIRTH, "d1", SparkplugPayload(seq=20, metrics=larger), b"large")
    data = SparkplugPayload(seq=21, metrics=(Metric(alias=1, value=1.0),))
    said = node.take(Kind.DDATA, "d1", data, b"data")
    assert not said.named
    assert said.faults[0].reason is Reason.NO_BIRTH


def test_the_simulated_edge_node_is_understood() -> None:
    edge = SparkplugEdge(PROFILE, "keywatt", "N")
    listener = listening("N.a", "N.b")
    values = {Quantity.ENERGY_IMPORT_KWH: 12.5, Quantity.VOLTAGE_L1_V: 230.0}
    devices = {"a": values, "b": None}
    minutes = [NOW - timedelta(minutes=n) for n in (3, 2, 1)]
    sent = [
        *edge.birth(minutes[0], devices),
        edge.data("b", [(minute, values) for minute in minutes]),
        edge.death("b", NOW),
        edge.data("a", [(NOW, values)]),
    ]
    found = []
    for topic, payload in sent:
        heard = listener.hear(Message(topic, payload, NOW))
        assert not heard.faults
        found += [(m.serial, one.measured_at, one.values) for m, one in heard.readings]
    assert found == [
        ("N.a", minutes[0], values),
        *(("N.b", minute, values) for minute in minutes),
        ("N.a", NOW, values),
    ]
    topic, will = edge.will()
    assert topic == "spBv1.0/keywatt/NDEATH/N"
    listener.hear(Message(topic, will, NOW))
    heard = listener.hear(Message(*edge.data("a", [(NOW, values)]), NOW))
    assert reasons(heard) == [Reason.NO_BIRTH]


def test_a_birth_states_ratios_and_data_the_one_that_changed() -> None:
    edge = SparkplugEdge(PROFILE, "keywatt", "N", Ratios(ct=80.0, pt=100.0))
    listener = listening("N.a")
    values = {Quantity.ENERGY_IMPORT_KWH: 12.5}
    stated = []
    for topic, payload in edge.birth(NOW, {"a": values}):
        heard = listener.hear(Message(topic, payload, NOW))
        stated += heard.stated
    assert [one.multiplier for one in stated] == [8000.0]
    metric = Metric(name="Ratio/CT", value=60.0, timestamp_ms=START_MS)
    data = SparkplugPayload(timestamp_ms=START_MS, seq=2, metrics=(metric,))
    changed = Message("spBv1.0/keywatt/DDATA/N/a", encode_sparkplug(data), NOW)
    heard = listener.hear(changed)
    assert [tuple(one) for one in heard.stated] == [(1, NOW, 6000.0)]
    assert not heard.readings
    assert not heard.faults


@pytest.mark.parametrize(
    ("in_birth", "in_data", "said"),
    [
        ("kWh", None, []),
        (None, None, []),
        ("counts", None, []),  # nothing that we know
        ("Wh", None, ["Energy/Import is in 'Wh', but the profile takes one of it for"]),
        ("kWh", "MWh", ["Energy/Import is in 'MWh', but the profile takes one of it"]),
    ],
)
def test_a_metric_in_another_unit_is_refused_alone(in_birth, in_data, said) -> None:
    listener = listening("N.a")
    hear(listener, Node().nbirth())
    energy = Metric(
        name="Energy/Import", datatype=DataType.DOUBLE, is_null=True, unit=in_birth
    )
    volts = Metric(name="Voltage/L1", datatype=DataType.DOUBLE, value=230.0, unit="V")
    birth = SparkplugPayload(timestamp_ms=START_MS, seq=1, metrics=(energy, volts))
    listener.hear(Message("spBv1.0/keywatt/DBIRTH/N/a", encode_sparkplug(birth), NOW))
    told = Metric(name="Energy/Import", value=12.5, unit=in_data)
    data = SparkplugPayload(timestamp_ms=START_MS, seq=2, metrics=(told, volts))
    topic = "spBv1.0/keywatt/DDATA/N/a"
    heard = listener.hear(Message(topic, encode_sparkplug(data), NOW))
    assert [one.text[: len(said[0])] for _, one in heard.faults] == said
    (reading,) = [one for _, one in heard.readings]
    assert len(reading.values) == (1 if said else 2)


# -- any interleaving

DEVICES = st.sampled_from(["a", "b"])
SOME = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("nbirth")),
        st.tuples(
            st.just("dbirth"), DEVICES, st.permutations(NAMES), st.integers(0, 2)
        ),
        st.tuples(st.just("ddata"), DEVICES, SOME, st.booleans()),
        st.tuples(st.just("ddata"), DEVICES, SOME, st.booleans()),
        st.tuples(st.just("ddeath"), DEVICES),
        st.tuples(st.just("ndeath"), st.booleans()),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


def performed(node: Node, step) -> Sent | None:
    """Let a node do one thing; it may well be nonsense, but its facts are true."""
    match step:
        case ("nbirth",):
            return node.nbirth()
        case ("dbirth", device, names, first_alias):
            return node.dbirth(device, names, first_alias)
        case ("ddata", device, names, named):
            # A device that was never born has aliases of its own choosing.
            known = node.aliases.setdefault(
                device, dict(zip(NAMES, range(4), strict=True))
            )
            return node.ddata(device, [n for n in names if n in known], named=named)
        case ("ddeath", device):
            return node.ddeath(device)
        case ("ndeath", is_stale):
            return node.ndeath(node.session - 1 if is_stale else None)
        case _:  # the process starts again: another session, nothing sent yet
            node.session, node.seq, node.aliases = node.session + 1, 255, {}
            return None


class Judge:
    """Knows from outside what is under a known birth: it counts every message."""

    def __init__(self) -> None:
        self.is_alive, self.session = False, None
        self.devices: set[str | None] = set()
        self.has_lost = False
        self.seq = None

    def believes(self, node: Node, sent: Sent) -> bool:
        """Whether what arrives just now counts."""
        if sent.kind is Kind.NBIRTH:
            self.is_alive, self.devices, self.has_lost = True, set(), False
            self.session, self.seq = node.session, sent.seq
            return True
        if sent.kind is Kind.NDEATH:
            return False
        if self.is_alive and sent.seq != (self.seq + 1) % 256:
            self.is_alive = False  # the node began anew without saying so
        if self.is_alive and self.has_lost:
            # Lost, and the number is right by chance: nobody could tell.
            assume(False)
        if not self.is_alive:
            return False
        self.seq = sent.seq
        if sent.kind is Kind.DDEATH:
            self.devices.discard(sent.device)
        elif sent.kind is Kind.DBIRTH:
            self.devices.add(sent.device)
        return sent.device in self.devices

    def bury(self, session: int) -> None:
        if session == self.session:
            self.is_alive = False


@given(STEPS, st.data())
def test_exactly_what_is_under_a_known_birth_is_believed(steps, data) -> None:
    node, judge, listener = Node(), Judge(), listening("N.a", "N.b")
    for step in steps:
        sent = performed(node, step)
        if sent is None:
            continue
        if data.draw(st.integers(0, 9)) == 0:
            judge.has_lost |= sent.kind is not Kind.NDEATH  # which has no number
            continue
        if data.draw(st.integers(0, 29)) == 0:  # the collector is killed
            judge, listener = Judge(), listening("N.a", "N.b")
        heard = hear(listener, sent)
        if sent.kind is Kind.NDEATH:
            judge.bury(node.session - 1 if step[1] else node.session)
        expected = sent.facts if judge.believes(node, sent) else []
        assert facts_of(heard) == list(expected)
        # Nothing is lost without a word.
        assert bool(heard.faults) == bool(sent.facts and not expected) or not sent.facts


@given(STEPS, st.data())
def test_whatever_comes_twice_no_value_gets_a_wrong_name(steps, data) -> None:
    node, listener = Node(), listening("N.a", "N.b")
    heard_of: list[Sent] = []
    true = set()
    for step in steps:
        sent = performed(node, step)
        if sent is not None:
            heard_of.append(sent)
            true |= set(sent.facts)
            assert set(facts_of(hear(listener, sent))) <= set(sent.facts)
        if heard_of and data.draw(st.integers(0, 4)) == 0:  # given again from there on
            for again in heard_of[data.draw(st.integers(0, len(heard_of) - 1)) :]:
                heard = hear(listener, again)
                assert set(facts_of(heard)) <= set(again.facts)
                assert heard.readings or heard.faults or not again.facts
