-- What people enter is taken back, never deleted: who, when and why stay. Decision 28.
ALTER TABLE supply_outage
    ADD COLUMN removed_by  text CHECK (removed_by <> ''),
    ADD COLUMN removed_at  timestamptz,
    ADD COLUMN removed_why text CHECK (removed_why <> ''),
    ADD CHECK (num_nonnulls(removed_by, removed_at, removed_why) IN (0, 3));

-- A day may be closed, opened, and closed again for another reason.
ALTER TABLE closure
    DROP CONSTRAINT closure_pkey,
    ADD COLUMN closure_id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN removed_by  text CHECK (removed_by <> ''),
    ADD COLUMN removed_at  timestamptz,
    ADD COLUMN removed_why text CHECK (removed_why <> ''),
    ADD CHECK (num_nonnulls(removed_by, removed_at, removed_why) IN (0, 3));
CREATE UNIQUE INDEX closure_once ON closure (account_id, local_day)
    WHERE removed_at IS NULL;

-- NULL also where a bill was withdrawn before a reason was asked for.
ALTER TABLE billed_period
    ADD COLUMN withdrawn_why text CHECK (withdrawn_why <> '');

-- Whose energy a file gave, from when to when, and who took it back: what it gave then
-- counts no longer. Such a file may be imported again.
ALTER TABLE imported_file
    ADD COLUMN point_id    int REFERENCES point,
    ADD COLUMN starts_at   timestamptz,
    ADD COLUMN stops_at    timestamptz,           -- of its rows; of registers the last
    ADD COLUMN import_kwh  double precision,      -- of the rows it gave; not of registers
    ADD COLUMN undone_by   text CHECK (undone_by <> ''),
    ADD COLUMN undone_at   timestamptz,
    ADD COLUMN undone_why  text CHECK (undone_why <> ''),
    ADD CHECK (num_nonnulls(undone_by, undone_at, undone_why) IN (0, 3)),
    DROP CONSTRAINT imported_file_sha256_key;
CREATE UNIQUE INDEX imported_file_once ON imported_file (sha256)
    WHERE undone_at IS NULL;

UPDATE imported_file AS file
   SET point_id = its.point_id, starts_at = its.starts_at, stops_at = its.stops_at
  FROM (SELECT import_id, min(point_id) AS point_id, min(start) AS starts_at,
               max(start + length_min * interval '1 minute') AS stops_at
          FROM meter_interval JOIN installation USING (meter_id)
         WHERE import_id IS NOT NULL
           AND start >= installed_at AND start < coalesce(removed_at, 'infinity')
         GROUP BY import_id) AS its
 WHERE its.import_id = file.import_id;

-- A reading is one row a moment: what a file made of it, so that just that can be taken
-- back. `gave` and `was` hold columns of `reading`; without `was` there was none.
CREATE TABLE imported_reading (
    import_id    int NOT NULL REFERENCES imported_file,
    meter_id     int NOT NULL,
    measured_at  timestamptz NOT NULL,
    gave         jsonb NOT NULL,
    was          jsonb,
    PRIMARY KEY (meter_id, measured_at, import_id)
);
CREATE INDEX imported_reading_of_file ON imported_reading (import_id);

-- Whoever enters something about the past judges it: nothing before is judged again.
ALTER TABLE judged ADD COLUMN not_before timestamptz;
