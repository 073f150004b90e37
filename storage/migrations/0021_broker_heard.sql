-- Whether a collector's connection to its broker stands: the broker may be away while the
-- collector is there. A collector that does not say so is taken to be connected.
ALTER TABLE collector_beat
    ADD COLUMN broker text,                     -- host and port
    ADD COLUMN heard_at timestamptz,            -- the connection stood last; null = never
    ADD COLUMN hearing_since timestamptz;       -- without a long break until then
