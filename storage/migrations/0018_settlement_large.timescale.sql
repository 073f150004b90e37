-- The large tables of settlement, beside energy_interval.

-- What was believed before: each row of energy_interval that was replaced or taken away.
-- What was believed at a moment is what was settled by then and not replaced by then.
CREATE TABLE energy_interval_past (
    LIKE energy_interval INCLUDING DEFAULTS,
    replaced_at  timestamptz NOT NULL,
    PRIMARY KEY (point_id, start, version)
);

-- What the rules said of a point's local day, each with the figures that led to it; a
-- row whenever that changed: analytics/settlement/verdict.py as JSON.
CREATE TABLE settled_day (
    point_id     int NOT NULL,
    local_day    date NOT NULL,
    settled_at   timestamptz NOT NULL,
    rules        text NOT NULL,          -- name of the rule set
    worst        smallint NOT NULL,
    verdicts     jsonb NOT NULL,         -- what warned or failed
    held         jsonb NOT NULL,         -- what passed or was skipped, when judged
    PRIMARY KEY (point_id, local_day, settled_at)
);

-- Intervals that a meter counted itself, or that came in a file; of one start the one
-- received last counts. Before multipliers; NULL = not given.
CREATE TABLE meter_interval (
    meter_id       int NOT NULL,
    start          timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    length_min     smallint NOT NULL CHECK (length_min > 0),
    import_kwh     double precision,
    export_kwh     double precision,
    lagging_kvarh  double precision,
    leading_kvarh  double precision,
    power_failure  boolean NOT NULL DEFAULT false, -- marked by the meter
    import_id      int,                            -- imported_file; NULL = by the meter
    PRIMARY KEY (meter_id, start, received_at)
);

SELECT create_hypertable('energy_interval_past', by_range('start', INTERVAL '7 days'));
ALTER TABLE energy_interval_past SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'point_id',
    timescaledb.orderby = 'start DESC'
);
CALL add_columnstore_policy('energy_interval_past', after => INTERVAL '30 days');
SELECT add_retention_policy('energy_interval_past', drop_after => INTERVAL '10 years');

SELECT create_hypertable('settled_day', by_range('local_day', INTERVAL '28 days'));
ALTER TABLE settled_day SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'point_id',
    timescaledb.orderby = 'local_day DESC'
);
CALL add_columnstore_policy('settled_day', after => INTERVAL '60 days');
SELECT add_retention_policy('settled_day', drop_after => INTERVAL '10 years');

SELECT create_hypertable('meter_interval', by_range('start', INTERVAL '7 days'));
ALTER TABLE meter_interval SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'meter_id',
    timescaledb.orderby = 'start DESC'
);
CALL add_columnstore_policy('meter_interval', after => INTERVAL '30 days');
SELECT add_retention_policy('meter_interval', drop_after => INTERVAL '13 months');

-- As 0011 says; what was settled is kept as long as the intervals, what a meter counted
-- as long as readings.
CREATE OR REPLACE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    kept     record;
    dropped  int := 0;
BEGIN
    FOR kept IN
        SELECT * FROM (VALUES ('reading', interval '13 months'),
                              ('meter_count', interval '13 months'),
                              ('meter_interval', interval '13 months'),
                              ('energy_interval', interval '10 years'),
                              ('energy_interval_past', interval '10 years'))
                        AS it (parent, age)
    LOOP
        dropped := dropped
                 + (SELECT count(*) FROM drop_chunks(kept.parent::regclass, at - kept.age));
    END LOOP;
    RETURN dropped
         + (SELECT count(*)
              FROM drop_chunks('settled_day', (at - interval '10 years')::date));
END $$;
