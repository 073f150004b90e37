-- The two large tables become range partitions by UTC month. There is no default
-- partition: rows in it would later block the month they belong to.

ALTER TABLE reading RENAME TO reading_whole;
CREATE TABLE reading (LIKE reading_whole INCLUDING ALL)
    PARTITION BY RANGE (measured_at);
DROP TABLE reading_whole;
ALTER INDEX reading_pkey1 RENAME TO reading_pkey;

ALTER TABLE energy_interval RENAME TO energy_interval_whole;
CREATE TABLE energy_interval (LIKE energy_interval_whole INCLUDING ALL)
    PARTITION BY RANGE (start);
DROP TABLE energy_interval_whole;
ALTER INDEX energy_interval_pkey1 RENAME TO energy_interval_pkey;

-- Make what is absent of the months that [first, last] touches. Attaching, unlike
-- CREATE ... PARTITION OF, lets others write to the table meanwhile.
CREATE FUNCTION ensure_time_partitions(first timestamptz, last timestamptz)
RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    parent  text;
    month   timestamptz := date_trunc('month', first);
    part    text;
BEGIN
    WHILE month <= last LOOP
        FOREACH parent IN ARRAY ARRAY['reading', 'energy_interval'] LOOP
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

-- Drop months that ended longer ago than they are kept: readings 13 months,
-- intervals 10 years. Returns how many partitions went.
CREATE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    part     record;
    dropped  int := 0;
BEGIN
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
