-- Roll-ups by the account's local day and month, and how long what is kept: decision 23.
--
-- When a local day begins. Where clocks are put back at midnight there are two
-- midnights: the first.
CREATE FUNCTION day_begins(local_day date, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ((local_day::timestamp AT TIME ZONE zone - interval '1 hour')
                      AT TIME ZONE zone)::date = local_day
                THEN local_day::timestamp AT TIME ZONE zone - interval '1 hour'
                ELSE local_day::timestamp AT TIME ZONE zone END
$$;

-- Energy of a point by local day: kept by triggers in the transaction that changes
-- energy_interval, whoever changes it. Added up in whole millionths of a kWh, which is
-- what intervals are kept in (storage/binary.py), so sums are exact.
CREATE TABLE energy_day (
    point_id       int NOT NULL,
    local_day      date NOT NULL,
    import_kwh     double precision,
    export_kwh     double precision,
    lagging_kvarh  double precision,
    leading_kvarh  double precision,
    max_import_kw  double precision,
    measured       int NOT NULL DEFAULT 0,    -- intervals of each quality
    estimated      int NOT NULL DEFAULT 0,
    edited         int NOT NULL DEFAULT 0,
    missing        int NOT NULL DEFAULT 0,
    PRIMARY KEY (point_id, local_day)
);

-- The load of whole local days in one row each, as pages of many accounts read them:
-- hundred days of quarter-hours of all of them at once. Numbers in the server's binary
-- form, one behind the other. Only of days that are over, and of the newest 110: of all
-- others storage/portfolio.py reads the intervals.
CREATE TABLE day_curve (
    point_id   int NOT NULL,
    local_day  date NOT NULL,
    starts     bytea NOT NULL,     -- timestamptz
    load_kw    bytea NOT NULL,     -- double precision, NaN = missing
    estimated  bytea NOT NULL,     -- one byte each: 1 = known but not measured
    PRIMARY KEY (point_id, local_day)
);
ALTER TABLE day_curve ALTER starts SET STORAGE MAIN, ALTER load_kw SET STORAGE MAIN;

CREATE FUNCTION curve_of_day(of_point int, begins timestamptz, ends timestamptz)
RETURNS TABLE (starts bytea, load_kw bytea, estimated bytea, minutes bigint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT string_agg(timestamptz_send(start), ''::bytea),
           string_agg(float8send(coalesce(
               round(import_kwh * 1e6) * 60 / length_min / 1e6, 'NaN')), ''::bytea),
           string_agg(CASE WHEN quality IN ('estimated', 'edited')
                           THEN '\x01'::bytea ELSE '\x00'::bytea END, ''::bytea),
           sum(length_min)
      FROM (SELECT start, import_kwh, length_min, quality
              FROM energy_interval
             WHERE point_id = of_point AND start >= begins AND start < ends
             ORDER BY start) AS its
$$;

-- Add up days again. Rows are taken first, in order:
-- who waited for another's transaction then counts what that one left.
CREATE FUNCTION sum_days(points int[], days date[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO energy_day AS kept (point_id, local_day)
    SELECT * FROM unnest(points, days) AS asked (point_id, local_day) ORDER BY 1, 2
    ON CONFLICT (point_id, local_day) DO UPDATE
       SET measured = 0, estimated = 0, edited = 0, missing = 0;

    UPDATE energy_day AS kept
       SET import_kwh = sums.import_kwh, export_kwh = sums.export_kwh,
           lagging_kvarh = sums.lagging_kvarh, leading_kvarh = sums.leading_kvarh,
           max_import_kw = sums.max_import_kw, measured = sums.measured,
           estimated = sums.estimated, edited = sums.edited, missing = sums.missing
      FROM (SELECT point_id, local_day, day_begins(local_day, time_zone) AS begins,
                   day_begins(local_day + 1, time_zone) AS ends
              FROM unnest(points, days) AS asked (point_id, local_day)
              JOIN point USING (point_id)
              JOIN account USING (account_id)
            OFFSET 0) AS asked
     CROSS JOIN LATERAL (
               SELECT sum(round(import_kwh * 1e6)) / 1e6 AS import_kwh,
                      sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
                      sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
                      sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
                      max(round(import_kwh * 1e6) * 60 / length_min) / 1e6
                          AS max_import_kw,
                      count(*) FILTER (WHERE quality = 'measured') AS measured,
                      count(*) FILTER (WHERE quality = 'estimated') AS estimated,
                      count(*) FILTER (WHERE quality = 'edited') AS edited,
                      count(*) FILTER (WHERE quality = 'missing') AS missing
                 FROM energy_interval i
                WHERE i.point_id = asked.point_id
                  AND i.start >= begins AND i.start < ends) AS sums
     WHERE (kept.point_id, kept.local_day) = (asked.point_id, asked.local_day);

    DELETE FROM energy_day AS kept
     USING unnest(points, days) AS asked (point_id, local_day)
     WHERE (kept.point_id, kept.local_day) = (asked.point_id, asked.local_day)
       AND measured + estimated + edited + missing = 0;

    DELETE FROM day_curve AS kept
     USING unnest(points, days) AS asked (point_id, local_day)
     WHERE (kept.point_id, kept.local_day) = (asked.point_id, asked.local_day);
    INSERT INTO day_curve
    SELECT point_id, local_day, starts, load_kw, curve.estimated
      FROM (SELECT point_id, local_day, day_begins(local_day, time_zone) AS begins,
                   day_begins(local_day + 1, time_zone) AS ends
              FROM unnest(points, days) AS asked (point_id, local_day)
              JOIN point USING (point_id)
              JOIN account USING (account_id)
            OFFSET 0) AS asked
      JOIN energy_day USING (point_id, local_day)
     CROSS JOIN LATERAL curve_of_day(point_id, begins, ends) AS curve
     -- In a day that goes on there is no interval at its end yet.
     WHERE EXISTS (SELECT FROM energy_interval AS i
                    WHERE i.point_id = asked.point_id
                      AND i.start >= ends - interval '1 hour' AND i.start < ends)
       AND minutes * 60 = extract(epoch FROM ends - begins);
END $$;

CREATE FUNCTION sum_changed_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    these  record;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        PERFORM sum_days(ARRAY[point_id],
                         ARRAY[(OLD.start AT TIME ZONE time_zone)::date])
           FROM point JOIN account USING (account_id)
          WHERE point_id = OLD.point_id;
        RETURN NULL;
    END IF;
    SELECT array_agg(point_id) AS points, array_agg(local_day) AS days
      INTO these
      FROM (SELECT DISTINCT point_id, (start AT TIME ZONE time_zone)::date AS local_day
              FROM changed
              JOIN point USING (point_id)
              JOIN account USING (account_id)) AS touched;
    IF these.points IS NOT NULL THEN
        PERFORM sum_days(these.points, these.days);
    END IF;
    RETURN NULL;
END $$;

-- The key of an interval never changes, so the new rows name the days.
CREATE TRIGGER energy_day_inserted AFTER INSERT ON energy_interval
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sum_changed_days();
CREATE TRIGGER energy_day_updated AFTER UPDATE ON energy_interval
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sum_changed_days();
CREATE TRIGGER energy_day_deleted AFTER DELETE ON energy_interval
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sum_changed_days();

-- An account in another zone has other days.
CREATE FUNCTION sum_account_days(this_account int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM energy_day
     USING point
     WHERE point.point_id = energy_day.point_id AND account_id = this_account;
    DELETE FROM day_curve
     USING point
     WHERE point.point_id = day_curve.point_id AND account_id = this_account;
    INSERT INTO energy_day
    SELECT i.point_id, (i.start AT TIME ZONE time_zone)::date,
           sum(round(i.import_kwh * 1e6)) / 1e6,
           sum(round(i.export_kwh * 1e6)) / 1e6,
           sum(round(i.lagging_kvarh * 1e6)) / 1e6,
           sum(round(i.leading_kvarh * 1e6)) / 1e6,
           max(round(i.import_kwh * 1e6) * 60 / i.length_min) / 1e6,
           count(*) FILTER (WHERE i.quality = 'measured'),
           count(*) FILTER (WHERE i.quality = 'estimated'),
           count(*) FILTER (WHERE i.quality = 'edited'),
           count(*) FILTER (WHERE i.quality = 'missing')
      FROM account
      JOIN point USING (account_id)
      JOIN energy_interval i USING (point_id)
     WHERE account_id = this_account
     GROUP BY 1, 2;
END $$;
CREATE FUNCTION sum_days_elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sum_account_days(NEW.account_id);
    RETURN NULL;
END $$;
CREATE TRIGGER energy_day_zone AFTER UPDATE OF time_zone ON account
    FOR EACH ROW WHEN (OLD.time_zone <> NEW.time_zone)
    EXECUTE FUNCTION sum_days_elsewhere();

SELECT sum_account_days(account_id) FROM account;

-- What was a view over intervals (0006) is one over their days.
DROP VIEW load_daily;
CREATE VIEW load_daily AS
SELECT day.*, time_zone,
       extract(epoch FROM day_begins(local_day + 1, time_zone)
                        - day_begins(local_day, time_zone))::double precision / 3600
       AS hours
  FROM energy_day AS day
  JOIN point USING (point_id)
  JOIN account USING (account_id);

-- Local months, each named by its first day.
CREATE VIEW load_monthly AS
SELECT sums.*,
       extract(epoch FROM day_begins((month + interval '1 month')::date, time_zone)
                        - day_begins(month, time_zone))::double precision / 3600
       AS hours
  FROM (SELECT point_id, local_day - extract(day FROM local_day)::int + 1 AS month,
               sum(round(import_kwh * 1e6)) / 1e6 AS import_kwh,
               sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
               sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
               sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
               max(max_import_kw) AS max_import_kw,
               sum(measured) AS measured, sum(estimated) AS estimated,
               sum(edited) AS edited, sum(missing) AS missing, time_zone
          FROM energy_day
          JOIN point USING (point_id)
          JOIN account USING (account_id)
         GROUP BY point_id, month, time_zone) AS sums;

-- How long what is kept: settings say it (KEYWATT_KEEP_...), set_retention writes it.
CREATE TABLE retention (
    what  text PRIMARY KEY,
    keep  interval NOT NULL CHECK (keep > interval '0')
);
INSERT INTO retention VALUES
    ('readings', '13 months'), ('intervals', '10 years'), ('quarantine', '13 months');

CREATE FUNCTION kept_since(kind text, at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT at - keep FROM retention WHERE what = kind
$$;

CREATE FUNCTION set_retention(readings interval, intervals interval, quarantine interval)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    changed  int;
BEGIN
    UPDATE retention SET keep = asked.keep
      FROM (VALUES ('readings', readings), ('intervals', intervals),
                   ('quarantine', quarantine)) AS asked (what, keep)
     WHERE retention.what = asked.what
       AND retention.keep::text <> asked.keep::text;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed > 0;
END $$;

-- Drop what is no longer kept: whole months of the large tables, rows of the small ones.
-- Returns how many months went. Called daily, and twice does no harm. Who must wait long
-- for a reader of what goes gives up until the next time.
CREATE OR REPLACE FUNCTION drop_expired(at timestamptz)
RETURNS int LANGUAGE plpgsql SET timezone = 'UTC' SET lock_timeout = '10s' AS $$
DECLARE
    part     record;
    dropped  int := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('keywatt drop_expired')) THEN
        RETURN 0;
    END IF;
    DELETE FROM quarantine WHERE received_at < kept_since('quarantine', at);
    DELETE FROM collection_count WHERE hour < kept_since('readings', at);
    DELETE FROM meter_count WHERE hour < kept_since('readings', at);
    DELETE FROM energy_day WHERE local_day < kept_since('intervals', at)::date;
    DELETE FROM day_curve WHERE local_day < at::date - 110;
    FOR part IN
        SELECT child.oid::regclass AS name
          FROM pg_inherits
          JOIN pg_class child ON child.oid = inhrelid
          JOIN (VALUES ('reading'::regclass, 'readings'),
                       ('meter_interval', 'readings'),
                       ('energy_interval', 'intervals'),
                       ('energy_interval_past', 'intervals'),
                       ('settled_day', 'intervals')
               ) AS kept (parent, kind) ON kept.parent = inhparent
         WHERE to_timestamp(right(child.relname, 7), 'YYYY_MM') + interval '1 month'
               <= kept_since(kept.kind, at)
    LOOP
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
