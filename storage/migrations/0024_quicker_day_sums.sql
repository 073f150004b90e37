-- Sums and curves of days (0019) in a third of the time. A day that is new is all in
-- what was inserted and is added up from there; one that was there before is added up
-- again. Every row is looked up by its key: a plan that reads a whole table is kept while
-- the table grows, and then costs each point more than the one before.

CREATE FUNCTION zone_of(of_point int) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT time_zone FROM point JOIN account USING (account_id) WHERE point_id = of_point
$$;

-- Add up days again. Their rows are taken first, in order: who waited for another's
-- transaction then counts what that one left.
CREATE OR REPLACE FUNCTION sum_days(points int[], days date[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this  record;
BEGIN
    FOR this IN
        SELECT point_id, local_day, day_begins(local_day, zone) AS begins,
               day_begins(local_day + 1, zone) AS ends
          FROM (SELECT point_id, local_day, zone_of(point_id) AS zone
                  FROM unnest(points, days) AS asked (point_id, local_day)
                OFFSET 0) AS asked
         WHERE zone IS NOT NULL
         ORDER BY point_id, local_day
    LOOP
        INSERT INTO energy_day AS kept (point_id, local_day)
        VALUES (this.point_id, this.local_day)
        ON CONFLICT (point_id, local_day) DO UPDATE SET measured = kept.measured;

        UPDATE energy_day AS kept
           SET import_kwh = sums.import_kwh, export_kwh = sums.export_kwh,
               lagging_kvarh = sums.lagging_kvarh, leading_kvarh = sums.leading_kvarh,
               max_import_kw = sums.max_import_kw, measured = sums.measured,
               estimated = sums.estimated, edited = sums.edited, missing = sums.missing
          FROM (SELECT sum(round(import_kwh * 1e6)) / 1e6 AS import_kwh,
                       sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
                       sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
                       sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
                       max(round(import_kwh * 1e6) * 60 / length_min) / 1e6
                           AS max_import_kw,
                       count(*) FILTER (WHERE quality = 'measured') AS measured,
                       count(*) FILTER (WHERE quality = 'estimated') AS estimated,
                       count(*) FILTER (WHERE quality = 'edited') AS edited,
                       count(*) FILTER (WHERE quality = 'missing') AS missing
                  FROM energy_interval
                 WHERE point_id = this.point_id
                   AND start >= this.begins AND start < this.ends) AS sums
         WHERE kept.point_id = this.point_id AND kept.local_day = this.local_day;

        DELETE FROM energy_day
         WHERE point_id = this.point_id AND local_day = this.local_day
           AND measured + estimated + edited + missing = 0;

        DELETE FROM day_curve
         WHERE point_id = this.point_id AND local_day = this.local_day;
        -- In a day that goes on there is no interval at its end yet.
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM energy_interval
             WHERE point_id = this.point_id
               AND start >= this.ends - interval '1 hour' AND start < this.ends);
        INSERT INTO day_curve
        SELECT this.point_id, this.local_day, starts, load_kw, estimated
          FROM curve_of_day(this.point_id, this.begins, this.ends)
         WHERE minutes * 60 = extract(epoch FROM this.ends - this.begins);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION sum_changed_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    these  record;
BEGIN
    IF TG_LEVEL = 'ROW' THEN
        PERFORM sum_days(ARRAY[OLD.point_id],
                         ARRAY[(OLD.start AT TIME ZONE zone_of(OLD.point_id))::date]);
        RETURN NULL;
    END IF;
    WITH zones AS MATERIALIZED (
        SELECT point_id, zone_of(point_id) AS zone
          FROM (SELECT DISTINCT point_id FROM changed) AS points)
    SELECT array_agg(point_id) AS points, array_agg(local_day) AS days
      INTO these
      FROM (SELECT DISTINCT point_id, (start AT TIME ZONE zone)::date AS local_day
              FROM changed JOIN zones USING (point_id)) AS touched;
    PERFORM sum_days(these.points, these.days);
    RETURN NULL;
END $$;

CREATE FUNCTION sum_inserted_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    known  record;
BEGIN
    WITH zones AS MATERIALIZED (
        SELECT point_id, zone_of(point_id) AS zone
          FROM (SELECT DISTINCT point_id FROM changed) AS points),
    sums AS MATERIALIZED (
        SELECT point_id, local_day, zone,
               sum(mwh) / 1e6 AS import_kwh,
               sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
               sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
               sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
               max(mwh * 60 / length_min) / 1e6 AS max_import_kw,
               count(*) FILTER (WHERE quality = 'measured') AS measured,
               count(*) FILTER (WHERE quality = 'estimated') AS estimated,
               count(*) FILTER (WHERE quality = 'edited') AS edited,
               count(*) FILTER (WHERE quality = 'missing') AS missing,
               sum(length_min) AS minutes,
               string_agg(timestamptz_send(start), ''::bytea) AS starts,
               string_agg(float8send(coalesce(mwh * 60 / length_min / 1e6, 'NaN')),
                          ''::bytea) AS load_kw,
               string_agg(CASE WHEN quality IN ('estimated', 'edited')
                               THEN '\x01'::bytea ELSE '\x00'::bytea END, ''::bytea)
                   AS guessed
          FROM (SELECT point_id, start, (start AT TIME ZONE zone)::date AS local_day,
                       zone, length_min, round(import_kwh * 1e6) AS mwh, export_kwh,
                       lagging_kvarh, leading_kvarh, quality
                  FROM changed JOIN zones USING (point_id)
                 WHERE zone IS NOT NULL
                 ORDER BY point_id, start) AS its
         GROUP BY point_id, local_day, zone),
    made AS (
        INSERT INTO energy_day
        SELECT point_id, local_day, import_kwh, export_kwh, lagging_kvarh,
               leading_kvarh, max_import_kw, measured, estimated, edited, missing
          FROM sums
         ORDER BY point_id, local_day
        ON CONFLICT (point_id, local_day) DO NOTHING
        RETURNING point_id, local_day),
    curves AS (
        INSERT INTO day_curve
        SELECT point_id, local_day, starts, load_kw, guessed
          FROM sums JOIN made USING (point_id, local_day)
         WHERE minutes * 60 = extract(epoch FROM day_begins(local_day + 1, zone)
                                               - day_begins(local_day, zone)))
    SELECT array_agg(point_id) AS points, array_agg(local_day) AS days
      INTO known
      FROM sums LEFT JOIN made USING (point_id, local_day)
     WHERE made.point_id IS NULL;
    IF known.points IS NOT NULL THEN
        PERFORM sum_days(known.points, known.days);
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER energy_day_inserted ON energy_interval;
CREATE TRIGGER energy_day_inserted AFTER INSERT ON energy_interval
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION sum_inserted_days();
