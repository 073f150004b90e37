-- One open alert for one subject and kind, with its whole history.

CREATE TABLE alert (
    alert_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   int NOT NULL REFERENCES account,
    point_id     int NOT NULL REFERENCES point,
    kind         text NOT NULL,
    state        text NOT NULL
                 CHECK (state IN ('open', 'acknowledged', 'planned', 'resolved')),
    opened_at    timestamptz NOT NULL,
    resolved_at  timestamptz CHECK ((resolved_at IS NOT NULL) = (state = 'resolved')),
    code         text NOT NULL,
    figures      jsonb NOT NULL
);
CREATE UNIQUE INDEX alert_one_open ON alert (point_id, kind) WHERE state <> 'resolved';
CREATE INDEX alert_of_account ON alert (account_id, opened_at DESC);

CREATE TABLE alert_event (
    event_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id  bigint NOT NULL REFERENCES alert,
    at        timestamptz NOT NULL,
    action    text NOT NULL
              CHECK (action IN ('opened', 'acknowledged', 'planned', 'resolved')),
    who       text NOT NULL,
    why       text NOT NULL
);
CREATE INDEX alert_event_of_alert ON alert_event (alert_id, at);

-- A customer's confirmed reason for a deviation; mutes the point's deviation alerts
-- and keeps those days out of the expected band.
CREATE TABLE planned_change (
    planned_change_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point_id           int NOT NULL REFERENCES point,
    starts_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL CHECK (ends_at > starts_at),
    why                text NOT NULL,
    who                text NOT NULL,
    at                 timestamptz NOT NULL,
    alert_id           bigint REFERENCES alert
);
CREATE INDEX planned_change_of_point ON planned_change (point_id, ends_at);

-- What was told to whom; a delivery that failed is tried again by its job.
CREATE TABLE delivery (
    delivery_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     bigint NOT NULL REFERENCES alert_event,
    channel      text NOT NULL,
    delivered_at timestamptz,
    attempts     int NOT NULL DEFAULT 0,
    error        text,
    UNIQUE (event_id, channel)
);
