-- The large tables of settlement, beside energy_interval.

-- What was believed before: each row of energy_interval that was replaced or taken away.
-- What was believed at a moment is what was settled by then and not replaced by then.
CREATE TABLE energy_interval_past (
    LIKE energy_interval INCLUDING DEFAULTS,
    replaced_at  timestamptz NOT NULL,
    PRIMARY KEY (point_id, start, version)
) PARTITION BY RANGE (start);

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
) PARTITION BY RANGE (local_day);

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
) PARTITION BY RANGE (start);

CREATE OR REPLACE FUNCTION ensure_time_partitions(first timestamptz, last timestamptz)
RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    parent  text;
    month   timestamptz := date_trunc('month', first);
    part    text;
BEGIN
    WHILE month <= last LOOP
        FOREACH parent IN ARRAY ARRAY['reading', 'energy_interval',
                                      'energy_interval_past', 'settled_day',
                                      'meter_interval'] LOOP
            part := parent || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            -- Two writers may need the same month at once: the second waits, then sees
            -- it. Attaching takes this lock anyway; it does not hinder writing.
            EXECUTE format('LOCK TABLE ONLY %I IN SHARE UPDATE EXCLUSIVE MODE', parent);
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                parent, part, month, month + interval '1 month');
        END LOOP;
        month := month + interval '1 month';
    END LOOP;
END $$;

-- As 0011 says; what was settled is kept as long as the intervals, what a meter counted
-- as long as readings.
CREATE OR REPLACE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    part     record;
    dropped  int := 0;
BEGIN
    DELETE FROM meter_count WHERE hour < at - interval '13 months';
    FOR part IN
        SELECT child.oid::regclass AS name
          FROM pg_inherits
          JOIN pg_class child ON child.oid = inhrelid
          JOIN (VALUES ('reading'::regclass, interval '13 months'),
                       ('meter_interval', interval '13 months'),
                       ('energy_interval', interval '10 years'),
                       ('energy_interval_past', interval '10 years'),
                       ('settled_day', interval '10 years')
               ) AS kept (parent, age) ON kept.parent = inhparent
         WHERE to_timestamp(right(child.relname, 7), 'YYYY_MM') + interval '1 month'
               <= at - kept.age
    LOOP
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
