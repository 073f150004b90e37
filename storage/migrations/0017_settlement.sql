-- What settlement needs besides readings, all of it entered by people or by files, and
-- what it says besides energy: decision 21.

-- Settled intervals say how sure they are and what the rules made of them.
ALTER TABLE energy_interval
    ADD COLUMN confidence  real NOT NULL DEFAULT 1,      -- 1 measured, 0 missing
    ADD COLUMN status      smallint NOT NULL DEFAULT 0,  -- worst rule: 0 pass to 3 fail
    ADD COLUMN firm        boolean NOT NULL DEFAULT true; -- may serve as an example

-- Master data that changes with time. What is absent is 1 or not known.
ALTER TABLE point
    ADD COLUMN feeds         boolean NOT NULL DEFAULT false, -- can feed the grid
    ADD COLUMN contract_kva  double precision CHECK (contract_kva > 0);
ALTER TABLE installation
    ADD COLUMN role  text NOT NULL DEFAULT 'main' CHECK (role IN ('main', 'check'));
ALTER TABLE installation DROP CONSTRAINT installation_point_id_installed_at_key;
ALTER TABLE installation ADD UNIQUE (point_id, role, installed_at);

-- As 0012, for each role: beside the main meter a check meter may sit.
CREATE OR REPLACE FUNCTION check_installation(this_id int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    mine    record;
    other   record;
BEGIN
    SELECT * INTO mine
      FROM installation JOIN meter USING (meter_id)
     WHERE installation_id = this_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT meter.serial, its.point_id, its.meter_id INTO other
      FROM installation AS its JOIN meter USING (meter_id)
     WHERE its.installation_id <> this_id
       AND ((its.point_id, its.role) = (mine.point_id, mine.role)
            OR its.meter_id = mine.meter_id)
       AND tstzrange(its.installed_at, its.removed_at)
        && tstzrange(mine.installed_at, mine.removed_at)
     LIMIT 1;
    IF FOUND AND other.meter_id = mine.meter_id THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', MESSAGE = format(
            'Meter %s cannot be at two points at one time: give it a removed_at where '
            'it was first.', mine.serial);
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', MESSAGE = format(
            'Meters %s and %s cannot both be the %s meter of point %s at one time: give '
            'the one that left a removed_at.',
            mine.serial, other.serial, mine.role, mine.point_id);
    END IF;
    IF mine.removed_at IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT meter.serial INTO other
      FROM meter JOIN installation AS its USING (meter_id)
     WHERE ((meter.host, meter.port, meter.unit) = (mine.host, mine.port, mine.unit)
            OR (meter.device, meter.unit) = (mine.device, mine.unit))
       AND meter.meter_id <> mine.meter_id AND its.removed_at IS NULL
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', MESSAGE = format(
            'Meters %s and %s cannot both stay at %s/%s: give the one that left a '
            'removed_at, or another address.', mine.serial, other.serial,
            coalesce(mine.device, format('%s:%s', mine.host, mine.port)), mine.unit);
    END IF;
END $$;

-- From `since` on, energy = counts x resolution x multiplier; installation.ratio holds
-- before. A change in the middle of an interval splits it.
CREATE TABLE multiplier_change (
    installation_id  int NOT NULL REFERENCES installation ON DELETE CASCADE,
    since            timestamptz NOT NULL,
    multiplier       numeric NOT NULL CHECK (multiplier > 0),
    entered_by       text NOT NULL,
    entered_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (installation_id, since)
);

-- What a register showed, by a person's note, when its meter came and when it went.
CREATE TABLE swap_reading (
    installation_id  int NOT NULL REFERENCES installation ON DELETE CASCADE,
    quantity         text NOT NULL,      -- meters/quantity.py, a register
    opening_counts   bigint CHECK (opening_counts >= 0),
    closing_counts   bigint CHECK (closing_counts >= 0),
    entered_by       text NOT NULL,
    entered_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (installation_id, quantity)
);

-- Time without supply: intervals in it are zero by right and no example for others.
CREATE TABLE supply_outage (
    outage_id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point_id     int NOT NULL REFERENCES point,
    start        timestamptz NOT NULL,
    stop         timestamptz NOT NULL CHECK (stop > start),
    kind         text NOT NULL CHECK (kind IN ('planned', 'reported')),
    reason       text NOT NULL CHECK (reason <> ''),
    entered_by   text NOT NULL,
    entered_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX supply_outage_of_point ON supply_outage (point_id, start);

-- Days on which a site alone does not work.
CREATE TABLE closure (
    account_id   int NOT NULL REFERENCES account,
    local_day    date NOT NULL,
    reason       text NOT NULL,
    entered_by   text NOT NULL,
    entered_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, local_day)
);

-- Rule sets as they were entered (analytics/settlement/ruleset.py); the newest counts.
CREATE TABLE rule_sets (
    rule_sets_id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    definition    text NOT NULL,          -- TOML
    entered_by    text NOT NULL,
    entered_at    timestamptz NOT NULL DEFAULT now()
);

-- A person's figures for some intervals. Both are kept: what was there before, and what
-- was set. An edit is undone, never deleted.
CREATE TABLE interval_edit (
    edit_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point_id     int NOT NULL REFERENCES point,
    reason       text NOT NULL CHECK (reason <> ''),
    edited_by    text NOT NULL CHECK (edited_by <> ''),
    edited_at    timestamptz NOT NULL,
    undone_by    text CHECK (undone_by <> ''),
    undone_at    timestamptz,
    undone_why   text CHECK (undone_why <> ''),
    CHECK ((undone_by IS NULL) = (undone_at IS NULL)),
    CHECK ((undone_by IS NULL) = (undone_why IS NULL))
);
CREATE INDEX interval_edit_of_point ON interval_edit (point_id, edited_at);

CREATE TABLE edited_value (
    edit_id             int NOT NULL REFERENCES interval_edit,
    start               timestamptz NOT NULL,
    length_min          smallint NOT NULL,
    import_kwh          double precision NOT NULL,
    export_kwh          double precision,    -- NULL = as settled
    lagging_kvarh       double precision,
    leading_kvarh       double precision,
    was_version         int NOT NULL,        -- of energy_interval; 0 = there was none
    was_quality         text NOT NULL,
    was_import_kwh      double precision,
    was_export_kwh      double precision,
    was_lagging_kvarh   double precision,
    was_leading_kvarh   double precision,
    PRIMARY KEY (edit_id, start)
);

-- A period that was billed, pinned to what was believed at `as_of`. It can be computed
-- again from versions; the sums are here so that a later difference is seen.
CREATE TABLE billed_period (
    bill_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   int NOT NULL REFERENCES account,
    first_day    date NOT NULL,
    last_day     date NOT NULL CHECK (last_day >= first_day),
    as_of        timestamptz NOT NULL,
    note         text NOT NULL DEFAULT '',
    pinned_by    text NOT NULL,
    pinned_at    timestamptz NOT NULL,
    withdrawn_by text,
    withdrawn_at timestamptz,
    CHECK ((withdrawn_by IS NULL) = (withdrawn_at IS NULL))
);
CREATE INDEX billed_period_of_account ON billed_period (account_id, first_day);

CREATE TABLE billed_energy (
    bill_id        int NOT NULL REFERENCES billed_period,
    point_id       int NOT NULL REFERENCES point,
    import_kwh     double precision,
    export_kwh     double precision,
    lagging_kvarh  double precision,
    leading_kvarh  double precision,
    max_import_kw  double precision,
    measured       int NOT NULL,
    estimated      int NOT NULL,
    edited         int NOT NULL,
    missing        int NOT NULL,
    PRIMARY KEY (bill_id, point_id)
);

-- Files that were imported. A file is taken once; its rows name it.
CREATE TABLE imported_file (
    import_id    int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    sha256       text NOT NULL UNIQUE,
    content      text NOT NULL CHECK (content IN ('intervals', 'registers')),
    rows_new     int NOT NULL,
    rows_changed int NOT NULL,
    rows_same    int NOT NULL,
    imported_by  text NOT NULL,
    imported_at  timestamptz NOT NULL
);
