-- How far each meter's own clock is from ours, hour by hour. The newest hour of a meter is
-- how it stands; the hours before say since when. Comparisons come with every poll.
CREATE TABLE meter_clock (
    meter_id     int NOT NULL REFERENCES meter ON DELETE CASCADE,
    hour         timestamptz NOT NULL,
    compared_at  timestamptz NOT NULL,          -- newest of the hour, by our clock
    drift_s      double precision NOT NULL,     -- of that one; positive = the meter is ahead
    least_s      double precision NOT NULL,
    most_s       double precision NOT NULL,
    compared     int NOT NULL,
    PRIMARY KEY (meter_id, hour)
);
-- For forgetting what is old: hours come in their order.
CREATE INDEX meter_clock_hour ON meter_clock USING brin (hour);

-- Whether a meter stands silent is asked every few seconds.
CREATE INDEX alert_standing ON alert (kind) WHERE state <> 'resolved';
