-- What meters say of themselves, how they fare under polling, and whether anybody
-- collects: small tables that are written when something changes.

-- States that a meter reports in its status registers: a row from the poll that showed
-- one to the poll that did not any more. Written by collectors.
CREATE TABLE meter_event (
    meter_id  int NOT NULL REFERENCES meter ON DELETE CASCADE,
    code      text NOT NULL,                    -- meters/event.py
    at        timestamptz NOT NULL,             -- of the poll, by the site's clock
    ended_at  timestamptz CHECK (ended_at >= at),
    "text"    text NOT NULL,                    -- where the meter says so
    raw       bytea NOT NULL,                   -- its status registers
    PRIMARY KEY (meter_id, code, at)
);
CREATE UNIQUE INDEX meter_event_lasts ON meter_event (meter_id, code)
    WHERE ended_at IS NULL;
CREATE INDEX meter_event_ended ON meter_event USING brin (ended_at);

-- Polled meters that are not read now, or not whole; no row: all is well.
CREATE TABLE meter_trouble (
    meter_id  int PRIMARY KEY REFERENCES meter ON DELETE CASCADE,
    since_at  timestamptz NOT NULL,
    "text"    text NOT NULL,                    -- why it is not read; '' = it is
    holes     text[] NOT NULL                   -- quantities that it does not have
);

-- Collectors say every few seconds that they are there; times by the site's clock.
CREATE TABLE collector_beat (
    collector  text PRIMARY KEY,                -- KEYWATT_COLLECTOR_NAME
    polls      boolean NOT NULL,                -- whether it asks Modbus meters
    hears      boolean NOT NULL,                -- whether it listens to the broker
    since_at   timestamptz NOT NULL,            -- there without a break since then
    beat_at    timestamptz NOT NULL
);

-- Since when somebody looks whether they are: while nobody did, or the database was
-- away, no silence is proven.
CREATE TABLE silence_watch (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    since_at   timestamptz NOT NULL,
    looked_at  timestamptz NOT NULL
);

-- An alert is of a point, or of what stands behind many points: a collector, a gateway.
ALTER TABLE alert
    ALTER account_id DROP NOT NULL,
    ALTER point_id DROP NOT NULL,
    ADD COLUMN subject text,
    ADD CONSTRAINT alert_of_point_or_subject
        CHECK ((point_id IS NULL) = (subject IS NOT NULL)
               AND (point_id IS NULL) = (account_id IS NULL));
CREATE UNIQUE INDEX alert_one_of_subject ON alert (subject, kind)
    WHERE state <> 'resolved' AND subject IS NOT NULL;
