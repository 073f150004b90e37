-- How a reading came to us: 1 the meter sent it, 2 it was asked, 3 out of the meter's
-- load-profile memory, afterwards (meters/reading.py, Source, in that order).
ALTER TABLE reading ADD COLUMN source smallint NOT NULL DEFAULT 1;
