-- Energy of a point by UTC hour, kept up to date over all that is stored: an interval
-- settled late invalidates its hour however old it is. What is newer than the last
-- refresh is added when it is asked for.
CREATE MATERIALIZED VIEW load_hourly
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT point_id,
       time_bucket(INTERVAL '1 hour', start) AS hour,
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
 GROUP BY point_id, time_bucket(INTERVAL '1 hour', start)
  WITH NO DATA;

SELECT add_continuous_aggregate_policy(
    'load_hourly',
    start_offset => INTERVAL '119 months', -- inside the intervals' 10 years
    end_offset => INTERVAL '1 hour',
    schedule_interval => INTERVAL '15 minutes');
