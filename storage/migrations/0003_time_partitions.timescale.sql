-- The two large tables become hypertables: chunks of 7 days, compressed by column
-- after the late-read window of 30 days, dropped when they are no longer kept.

SELECT create_hypertable('reading', by_range('measured_at', INTERVAL '7 days'));
ALTER TABLE reading SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'meter_id',
    timescaledb.orderby = 'measured_at DESC'
);
CALL add_columnstore_policy('reading', after => INTERVAL '30 days');
SELECT add_retention_policy('reading', drop_after => INTERVAL '13 months');

SELECT create_hypertable('energy_interval', by_range('start', INTERVAL '7 days'));
ALTER TABLE energy_interval SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'point_id',
    timescaledb.orderby = 'start DESC'
);
CALL add_columnstore_policy('energy_interval', after => INTERVAL '30 days');
SELECT add_retention_policy('energy_interval', drop_after => INTERVAL '10 years');

-- Chunks make themselves.
CREATE FUNCTION ensure_time_partitions(first timestamptz, last timestamptz)
RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
END $$;

-- What the retention policies do daily, at a given time: returns how many chunks went.
CREATE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
    RETURN (SELECT count(*) FROM drop_chunks('reading', at - interval '13 months'))
         + (SELECT count(*) FROM drop_chunks('energy_interval', at - interval '10 years'));
END $$;
