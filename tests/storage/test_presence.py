from datetime import timedelta

from meters.presence import Presence
from storage.database import connect
from storage.master import apply_site
from storage.watching import load_watched
from tests.fix_timescale import Store
from tests.storage_data import NOON, batch, meter, point, site, tell_presence, write

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def states(store: Store):
    with connect(store.url) as conn:
        found = load_watched(conn, NOON + MINUTE)
    return [(m.serial, m.online_at, m.offline_at) for m in found]


def test_the_newest_state_stands_since_it_changed(store: Store) -> None:
    two = [point(meter("A")), point(meter("B"), name="Hall")]
    with connect(store.url) as conn:
        apply_site(conn, site(points=two))
    tell_presence(store, Presence(2, True, NOON), Presence(1, False, NOON))
    tell_presence(store, Presence(999, True, NOON))  # who was deleted meanwhile
    # Retained, it is told again at every start: that is no change.
    again = [Presence(2, True, NOON + MINUTE), Presence(1, False, NOON + MINUTE)]
    tell_presence(store, *again)
    assert sorted(states(store)) == [("A", None, NOON), ("B", NOON, None)]
    tell_presence(store, Presence(1, True, NOON + 2 * MINUTE))
    assert min(states(store)) == ("A", NOON + 2 * MINUTE, None)


def test_a_reading_after_the_last_will_says_otherwise(store: Store) -> None:
    with connect(store.url) as conn:
        apply_site(conn, site())

    def offline_now_at():
        with connect(store.url) as conn:
            return load_watched(conn, NOON + MINUTE)[0].offline_now_at

    assert offline_now_at() is None
    tell_presence(store, Presence(1, False, NOON))
    assert offline_now_at() == NOON
    # Each reading comes a second after it was measured.
    write(store, batch(1, start=NOON - SECOND))
    assert offline_now_at() == NOON
    write(store, batch(1, start=NOON))
    assert offline_now_at() is None
