-- Whether a version of an interval was settled while a file said so that was taken back
-- since, and no file that counts had said otherwise in between.
CREATE FUNCTION settled_of_undone(of_point int, of_start timestamptz,
                                  settled timestamptz)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT EXISTS (
        SELECT FROM imported_file AS file
         WHERE point_id = of_point AND undone_at IS NOT NULL
           AND of_start >= starts_at AND of_start < stops_at
           AND settled >= imported_at AND settled < undone_at
           AND NOT EXISTS (
                   SELECT FROM imported_file AS later
                    WHERE later.point_id = of_point AND later.undone_at IS NULL
                      AND later.import_id > file.import_id
                      AND of_start >= later.starts_at AND of_start < later.stops_at
                      AND settled >= later.imported_at))
$$;
