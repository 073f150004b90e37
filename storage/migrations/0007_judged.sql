-- Up to where the settled load of a point has been judged against its expected band.
-- Settling sets it back to the first interval that it changed.
CREATE TABLE judged (
    point_id   int PRIMARY KEY REFERENCES point,
    judged_to  timestamptz
);

-- The worker asks every second what is news and what is not told yet.
CREATE INDEX alert_resolved ON alert (resolved_at);
CREATE INDEX delivery_waiting ON delivery (channel, event_id) WHERE delivered_at IS NULL;
