-- Energy of a point by UTC hour (0005), added up as days are (0019): in whole millionths of
-- a kWh, which is what intervals are kept in.
-- Made anew, with the policies that the settings of retention ask for; until the first of
-- them has run, all of it is added up when it is asked for.
DROP MATERIALIZED VIEW load_hourly;
CREATE MATERIALIZED VIEW load_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT point_id,
       time_bucket(INTERVAL '1 hour', start) AS hour,
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
 GROUP BY point_id, time_bucket(INTERVAL '1 hour', start)
  WITH NO DATA;

SELECT add_continuous_aggregate_policy(
           'load_hourly',
           start_offset => keep - INTERVAL '1 month',
           end_offset => INTERVAL '1 hour',
           schedule_interval => INTERVAL '15 minutes')
  FROM retention WHERE what = 'intervals';
SELECT add_retention_policy('load_hourly', drop_after => keep)
  FROM retention WHERE what = 'intervals';
