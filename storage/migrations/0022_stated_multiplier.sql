-- CT x PT as it is set in meters that leave their registers unmultiplied: a row whenever a
-- meter states another. Settlement holds it against the multiplier that was entered.
CREATE TABLE stated_multiplier (
    meter_id    int NOT NULL REFERENCES meter ON DELETE CASCADE,
    since_at    timestamptz NOT NULL,           -- when it was asked, by our clock
    multiplier  double precision NOT NULL CHECK (multiplier > 0),
    PRIMARY KEY (meter_id, since_at)
);
