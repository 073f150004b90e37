-- Whether a meter is online, of meters that leave a last will with the MQTT broker. It
-- is no reading: written when it changes, one row a meter.
CREATE TABLE meter_presence (
    meter_id    int PRIMARY KEY REFERENCES meter ON DELETE CASCADE,
    is_online   boolean NOT NULL,
    changed_at  timestamptz NOT NULL     -- when the message came, by the site's clock
);
