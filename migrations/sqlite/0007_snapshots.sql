-- The register as data, as it was published: one row a day, and one for each change. The two folders hold the same
-- statements up to the triggers at the end.

CREATE TABLE register_snapshot (
    -- entries that the log had when it was begun: its name
    size BIGINT PRIMARY KEY NOT NULL,
    made_at BIGINT NOT NULL,
    -- the canonical text, whose SHA-256 is in the log
    body TEXT NOT NULL,
    -- its own entry's place
    position BIGINT NOT NULL,
    -- the proof of that (C2SP tlog-proof), once there is one
    receipt TEXT
);

-- What happened stays as it was written (rule 7); the receipt is put in once.
CREATE TRIGGER register_snapshot_no_update BEFORE UPDATE ON register_snapshot
WHEN OLD.receipt IS NOT NULL OR NEW.size <> OLD.size OR NEW.made_at <> OLD.made_at OR NEW.body <> OLD.body OR NEW.position <> OLD.position
BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER register_snapshot_no_delete BEFORE DELETE ON register_snapshot BEGIN SELECT RAISE(ABORT, 'append only'); END;
