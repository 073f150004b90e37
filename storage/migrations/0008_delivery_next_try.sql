-- What a channel did not take waits alone: other news goes on meanwhile. NULL = now.
ALTER TABLE delivery ADD COLUMN next_try_at timestamptz;
