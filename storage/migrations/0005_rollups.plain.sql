-- Energy of a point by UTC hour.
CREATE VIEW load_hourly AS
SELECT point_id,
       date_trunc('hour', start, 'UTC') AS hour,
       sum(import_kwh) AS import_kwh,
       sum(export_kwh) AS export_kwh,
       sum(lagging_kvarh) AS lagging_kvarh,
       sum(leading_kvarh) AS leading_kvarh,
       max(import_kwh * 60 / length_min) AS max_import_kw,
       count(*) FILTER (WHERE quality = 'measured') AS measured,
       count(*) FILTER (WHERE quality = 'estimated') AS estimated,
       count(*) FILTER (WHERE quality = 'edited') AS edited,
       count(*) FILTER (WHERE quality = 'missing') AS missing
  FROM energy_interval
 GROUP BY point_id, date_trunc('hour', start, 'UTC');
