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
CREATE INDEX meter_count_hour ON meter_count (hour);

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
                       ('energy_interval', interval '10 years')
               ) AS kept (parent, age) ON kept.parent = inhparent
         WHERE to_timestamp(right(child.relname, 7), 'YYYY_MM') + interval '1 month'
               <= at - kept.age
    LOOP
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
