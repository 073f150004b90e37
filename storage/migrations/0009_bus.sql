-- A Modbus meter hangs on a bus that is reached in one of three ways: Modbus TCP, RTU
-- frames through a serial-device server, or a serial line of the collector's machine.
ALTER TABLE meter
    ADD COLUMN framing    text NOT NULL DEFAULT 'tcp'
                          CHECK (framing IN ('tcp', 'rtu-over-tcp', 'serial')),
    ADD COLUMN device     text,
    ADD COLUMN baud_rate  int NOT NULL DEFAULT 9600 CHECK (baud_rate > 0),
    ADD COLUMN parity     text NOT NULL DEFAULT 'none'
                          CHECK (parity IN ('none', 'even', 'odd')),
    ADD COLUMN stop_bits  int NOT NULL DEFAULT 1 CHECK (stop_bits IN (1, 2)),
    DROP CONSTRAINT meter_check,
    ADD CONSTRAINT modbus_meter_has_an_address CHECK (
        transport = 'mqtt'
        OR (unit IS NOT NULL AND CASE WHEN framing = 'serial' THEN device IS NOT NULL
                                      ELSE (host, port) IS NOT NULL END));
