-- Energy of a point by UTC hour (0005), added up as days are (0019): in whole millionths of
-- a kWh, which is what intervals are kept in.
CREATE OR REPLACE VIEW load_hourly AS
SELECT point_id,
       date_trunc('hour', start, 'UTC') AS hour,
       sum(round(import_kwh * 1e6)) / 1e6 AS import_kwh,
       sum(round(export_kwh * 1e6)) / 1e6 AS export_kwh,
       sum(round(lagging_kvarh * 1e6)) / 1e6 AS lagging_kvarh,
       sum(round(leading_kvarh * 1e6)) / 1e6 AS leading_kvarh,
       max(round(import_kwh * 1e6) * 60 / length_min) / 1e6 AS max_import_kw,
       count(*) FILTER (WHERE quality = 'measured') AS measured,
       count(*) FILTER (WHERE quality = 'estimated') AS estimated,
       count(*) FILTER (WHERE quality = 'edited') AS edited,
       count(*) FILTER (WHERE quality = 'missing') AS missing
  FROM energy_interval
 GROUP BY point_id, date_trunc('hour', start, 'UTC');
