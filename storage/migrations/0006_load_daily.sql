-- Energy of a point by the account's local day, which has 23, 24 or 25 hours. A plain
-- view on every server: see docs/decisions/0003-daily-load-is-a-view.md.
CREATE VIEW load_daily AS
SELECT day.*,
       extract(epoch FROM (local_day + 1)::timestamp AT TIME ZONE time_zone
                        - local_day::timestamp AT TIME ZONE time_zone)
           ::double precision / 3600
       AS hours
  FROM (SELECT i.point_id,
               (i.start AT TIME ZONE a.time_zone)::date AS local_day,
               a.time_zone,
               sum(i.import_kwh) AS import_kwh,
               sum(i.export_kwh) AS export_kwh,
               sum(i.lagging_kvarh) AS lagging_kvarh,
               sum(i.leading_kvarh) AS leading_kvarh,
               max(i.import_kwh * 60 / i.length_min) AS max_import_kw,
               count(*) FILTER (WHERE i.quality = 'measured') AS measured,
               count(*) FILTER (WHERE i.quality = 'estimated') AS estimated,
               count(*) FILTER (WHERE i.quality = 'edited') AS edited,
               count(*) FILTER (WHERE i.quality = 'missing') AS missing
          FROM energy_interval i
          JOIN point p USING (point_id)
          JOIN account a USING (account_id)
         GROUP BY i.point_id, local_day, a.time_zone) AS day;
