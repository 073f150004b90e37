-- What became of every reading of each meter, by the UTC hour in which it was received:
-- the ledger of completeness is built on it. Counted in the transaction that stores or
-- refuses the readings; `failed`, polls without an answer, some seconds later. Whatever
-- still waits is not counted yet, so that asked = stored + repeated + refused + failed.
-- undecoded = of the refused, those that could not be read at all.
CREATE TABLE meter_count (
    meter_id   int NOT NULL,
    hour       timestamptz NOT NULL,
    stored     int NOT NULL DEFAULT 0,
    repeated   int NOT NULL DEFAULT 0,
    refused    int NOT NULL DEFAULT 0,
    undecoded  int NOT NULL DEFAULT 0,
    failed     int NOT NULL DEFAULT 0,
    PRIMARY KEY (meter_id, hour)
);

SELECT create_hypertable('meter_count', by_range('hour', INTERVAL '7 days'));
SELECT add_retention_policy('meter_count', drop_after => INTERVAL '13 months');

-- One row a transaction, arrays of one length (NULL = all 0): a row for each meter
-- would cost as much as the readings themselves. fold_meter_counts (storage/
-- meter_counts.py) adds them up; the view knows both.
CREATE TABLE meter_count_new (
    meter_count_new_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter_id            int[] NOT NULL,
    hour                timestamptz[] NOT NULL,
    stored              int[],
    repeated            int[],
    refused             int[],
    undecoded           int[],
    failed              int[]
);

CREATE VIEW meter_hour AS
    SELECT meter_id, hour, sum(stored) AS stored, sum(repeated) AS repeated,
           sum(refused) AS refused, sum(undecoded) AS undecoded, sum(failed) AS failed,
           sum(stored + repeated + refused) AS answered,
           sum(stored + repeated + refused + failed) AS asked
      FROM (SELECT meter_id, hour, stored, repeated, refused, undecoded, failed
              FROM meter_count
             UNION ALL
            SELECT each.meter_id, each.hour, coalesce(each.stored, 0),
                   coalesce(each.repeated, 0), coalesce(each.refused, 0),
                   coalesce(each.undecoded, 0), coalesce(each.failed, 0)
              FROM meter_count_new AS new,
                   unnest(new.meter_id, new.hour, new.stored, new.repeated,
                          new.refused, new.undecoded, new.failed)
                   AS each (meter_id, hour, stored, repeated, refused, undecoded,
                            failed)
           ) AS every
     GROUP BY meter_id, hour;

-- As 0003 says, and counts as long as readings.
CREATE OR REPLACE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
BEGIN
    RETURN (SELECT count(*) FROM drop_chunks('reading', at - interval '13 months'))
         + (SELECT count(*) FROM drop_chunks('meter_count', at - interval '13 months'))
         + (SELECT count(*) FROM drop_chunks('energy_interval', at - interval '10 years'));
END $$;
