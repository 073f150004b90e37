-- Meters and installations are changed while others follow them: by programs, and by
-- people who type SQL. A counter says that something changed, so that nobody has to read
-- ten thousand rows to know that nothing did.

CREATE TABLE master_version (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version     bigint NOT NULL,
    changed_by  xid8 NOT NULL,
    changed_at  timestamptz NOT NULL
);

-- Counts once a transaction, however many rows it changes. Whoever changes meters holds
-- the row until the commit, so of two at the same time the second sees what the first
-- did when its own is checked below.
CREATE FUNCTION note_master_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NOT EXISTS (SELECT * FROM new_rows EXCEPT SELECT * FROM old_rows) THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM new_rows) THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (SELECT FROM old_rows) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO master_version AS known (version, changed_by, changed_at)
    VALUES (1, pg_current_xact_id(), now())
    ON CONFLICT (only_row) DO UPDATE
       SET version = known.version + 1, changed_by = excluded.changed_by,
           changed_at = excluded.changed_at
     -- A restored database may hold a number of this server's transactions.
     WHERE (known.changed_by, known.changed_at)
           IS DISTINCT FROM (excluded.changed_by, excluded.changed_at);
    RETURN NULL;
END $$;

CREATE TRIGGER meter_inserted AFTER INSERT ON meter
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();
CREATE TRIGGER meter_updated AFTER UPDATE ON meter
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();
CREATE TRIGGER meter_deleted AFTER DELETE ON meter
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();
CREATE TRIGGER installation_inserted AFTER INSERT ON installation
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();
CREATE TRIGGER installation_updated AFTER UPDATE ON installation
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();
CREATE TRIGGER installation_deleted AFTER DELETE ON installation
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_master_change();

CREATE INDEX meter_at_address ON meter (host, port, unit) WHERE host IS NOT NULL;
CREATE INDEX meter_on_line ON meter (device, unit) WHERE device IS NOT NULL;

-- What no CHECK can say, looked at when a transaction commits: a point holds one meter at
-- a time, a meter is at one point at a time, and an address is one meter's of those that
-- stay. (An EXCLUDE constraint would need btree_gist, and cannot look into two tables.)
-- Programs that looked at all of it themselves say so by keywatt.checked.
CREATE FUNCTION check_installation(this_id int) RETURNS void LANGUAGE plpgsql AS $$
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
       AND (its.point_id = mine.point_id OR its.meter_id = mine.meter_id)
       AND tstzrange(its.installed_at, its.removed_at)
        && tstzrange(mine.installed_at, mine.removed_at)
     LIMIT 1;
    IF FOUND AND other.meter_id = mine.meter_id THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', MESSAGE = format(
            'Meter %s cannot be at two points at one time: give it a removed_at where '
            'it was first.', mine.serial);
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation', MESSAGE = format(
            'Meters %s and %s cannot be at point %s at one time: give the one that '
            'left a removed_at.', mine.serial, other.serial, mine.point_id);
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

CREATE FUNCTION check_master_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'installation' THEN
        PERFORM check_installation(NEW.installation_id);
    ELSE
        PERFORM check_installation(installation_id)
           FROM installation WHERE meter_id = NEW.meter_id;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER installation_fits
    AFTER INSERT OR UPDATE ON installation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (coalesce(current_setting('keywatt.checked', true), '') <> 'yes')
    EXECUTE FUNCTION check_master_change();
CREATE CONSTRAINT TRIGGER meter_address_fits
    AFTER UPDATE OF host, port, device, unit ON meter
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (coalesce(current_setting('keywatt.checked', true), '') <> 'yes')
    EXECUTE FUNCTION check_master_change();
