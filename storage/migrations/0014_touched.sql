-- Writing must not wait for settling: a writer says in one row what a batch touched, and
-- marks only ever come and go whole. A day that is marked twice is one dirty day.

CREATE TABLE touched (
    touched_at  timestamptz NOT NULL DEFAULT now(),
    meter_id    int[] NOT NULL,
    first       timestamptz[] NOT NULL,
    last        timestamptz[] NOT NULL
);

ALTER TABLE dirty_point_day DROP CONSTRAINT dirty_point_day_pkey;
CREATE INDEX dirty_point_day_of_point ON dirty_point_day (point_id, local_day);
