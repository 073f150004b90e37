-- What meters say and what becomes of it: written by programs, billions of rows.
-- 0003 makes the two large tables range partitions or hypertables.

CREATE TABLE quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    transport      text NOT NULL,
    source         text NOT NULL,
    meter_id       int,
    reason         text NOT NULL,
    "text"         text NOT NULL,
    readings       int NOT NULL,
    raw            bytea NOT NULL
);
CREATE INDEX quarantine_newest ON quarantine (received_at DESC);

-- Nothing is lost silently: every reading that arrived is counted here once, in the
-- transaction that stored or refused it. `outcome` is stored, repeated or a reason
-- of refusal.
CREATE TABLE collection_count (
    hour       timestamptz NOT NULL,
    transport  text NOT NULL,
    outcome    text NOT NULL,
    readings   bigint NOT NULL,
    PRIMARY KEY (hour, transport, outcome)
);

-- Local days of a point that settlement must look at again.
CREATE TABLE dirty_point_day (
    point_id   int NOT NULL REFERENCES point,
    local_day  date NOT NULL,
    marked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (point_id, local_day)
);

-- Wide: one row a meter and instant, one column a stored quantity (meters/quantity.py,
-- in that order). NULL = the meter did not give it. Registers as the meter shows them.
CREATE TABLE reading (
    meter_id              int NOT NULL,
    measured_at           timestamptz NOT NULL,
    received_at           timestamptz NOT NULL,
    energy_import_kwh     double precision,
    energy_export_kwh     double precision,
    energy_lagging_kvarh  double precision,
    energy_leading_kvarh  double precision,
    active_power_kw       double precision,
    active_power_l1_kw    double precision,
    active_power_l2_kw    double precision,
    active_power_l3_kw    double precision,
    reactive_power_kvar   double precision,
    power_factor          double precision,
    frequency_hz          double precision,
    voltage_l1_v          double precision,
    voltage_l2_v          double precision,
    voltage_l3_v          double precision,
    current_l1_a          double precision,
    current_l2_a          double precision,
    current_l3_a          double precision,
    stored_at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (meter_id, measured_at)
);

-- Settled energy over [start, start + length): what is billed and judged.
CREATE TABLE energy_interval (
    point_id       int NOT NULL,
    start          timestamptz NOT NULL,
    length_min     smallint NOT NULL CHECK (length_min > 0),
    import_kwh     double precision,
    export_kwh     double precision,
    lagging_kvarh  double precision,
    leading_kvarh  double precision,
    quality        text NOT NULL
                   CHECK (quality IN ('measured', 'estimated', 'edited', 'missing')),
    method         text,
    version        int NOT NULL DEFAULT 1,
    settled_at     timestamptz NOT NULL,
    PRIMARY KEY (point_id, start),
    -- A gap is never a zero.
    CHECK ((quality = 'missing') = (import_kwh IS NULL))
);
