-- Whom we watch and with what: changed by people, a few thousand rows.

CREATE TABLE account (
    account_id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9][a-z0-9-]*$'),
    name        text NOT NULL,
    sector      text NOT NULL,
    time_zone   text NOT NULL,
    country     text NOT NULL,
    manager     text NOT NULL,
    currency    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tariff (
    tariff_id   int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL,
    version     int NOT NULL CHECK (version > 0),
    definition  jsonb NOT NULL,
    UNIQUE (code, version)
);

CREATE TABLE contract (
    account_id  int NOT NULL REFERENCES account,
    tariff_id   int NOT NULL REFERENCES tariff,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz CHECK (valid_to > valid_from),
    PRIMARY KEY (account_id, valid_from)
);

CREATE TABLE point (
    point_id            int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id          int NOT NULL REFERENCES account,
    name                text NOT NULL,
    contract_demand_kw  double precision CHECK (contract_demand_kw > 0),
    UNIQUE (account_id, name)
);

CREATE TABLE shiftable_process (
    point_id        int NOT NULL REFERENCES point,
    name            text NOT NULL,
    power_kw        double precision NOT NULL CHECK (power_kw > 0),
    duration_min    int NOT NULL CHECK (duration_min > 0 AND duration_min % 15 = 0),
    usual_start     time NOT NULL,
    earliest_start  time NOT NULL,
    latest_end      time NOT NULL,
    PRIMARY KEY (point_id, name)
);

CREATE TABLE meter (
    meter_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial        text NOT NULL UNIQUE CHECK (serial ~ '^[A-Za-z0-9._-]{1,64}$'),
    profile       text NOT NULL,
    transport     text NOT NULL CHECK (transport IN ('modbus', 'mqtt')),
    host          text,
    port          int CHECK (port BETWEEN 1 AND 65535),
    unit          int CHECK (unit BETWEEN 0 AND 255),
    poll_every_s  double precision NOT NULL DEFAULT 10 CHECK (poll_every_s > 0),
    -- A Modbus meter needs an address. At a swap the new one comes to that of the old
    -- one: that no two are there at one time is checked where meters are entered.
    CHECK (transport = 'mqtt' OR (host, port, unit) IS NOT NULL)
);

CREATE TABLE installation (
    installation_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point_id             int NOT NULL REFERENCES point,
    meter_id             int NOT NULL REFERENCES meter,
    installed_at         timestamptz NOT NULL,
    removed_at           timestamptz CHECK (removed_at > installed_at),
    ratio                int NOT NULL DEFAULT 1 CHECK (ratio > 0),
    register_digits      int NOT NULL CHECK (register_digits BETWEEN 1 AND 18),
    register_resolution  double precision NOT NULL CHECK (register_resolution > 0),
    UNIQUE (point_id, installed_at),
    UNIQUE (meter_id, installed_at)
);
