-- The public log and the chain of audit events. The two folders hold the same statements up to the triggers at the end.

-- One row. Every writing transaction takes it first, so that in both databases one writes at a time and the log and the
-- chain have one order.
CREATE TABLE log_head (
    id BIGINT PRIMARY KEY NOT NULL,
    -- entries in the log
    size BIGINT NOT NULL,
    -- roots of the tree's complete subtrees, the largest first, hexadecimal
    edge TEXT NOT NULL,
    -- events in the chain, and its newest hash, hexadecimal
    trail_length BIGINT NOT NULL,
    trail TEXT NOT NULL,
    -- the newest head that was signed and seen by enough witnesses, and its size
    checkpoint_size BIGINT NOT NULL,
    checkpoint TEXT NOT NULL
);
INSERT INTO log_head (id, size, edge, trail_length, trail, checkpoint_size, checkpoint)
VALUES (1, 0, '', 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, '');

-- The log's name and key: one row, written when the log is first used.
CREATE TABLE log_identity (
    id BIGINT PRIMARY KEY NOT NULL,
    -- the verifier key's line (C2SP signed-note); its name is the log's
    vkey TEXT NOT NULL,
    key_label TEXT NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE TABLE log_leaf (
    position BIGINT PRIMARY KEY NOT NULL,
    -- what the log says in public
    leaf TEXT NOT NULL,
    -- what opens it; never published by the log
    opening TEXT NOT NULL,
    -- the order that it is about, where it is about one
    seal_order TEXT
);
CREATE INDEX log_leaf_order ON log_leaf (seal_order);

-- Complete subtrees of 256 to the power of the level; the leaves' own hashes are computed from them.
CREATE TABLE log_node (
    level BIGINT NOT NULL,
    position BIGINT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
);

-- The proof that the order is in the log, as its document carries it (C2SP tlog-proof).
ALTER TABLE seal_order ADD COLUMN receipt TEXT;

-- From when on the seal's documents must be in the log.
ALTER TABLE seal ADD COLUMN logged_since BIGINT;

-- The event's place in the chain, and where the doing came from; none for what was written before there was a chain.
ALTER TABLE audit_event ADD COLUMN position BIGINT;
ALTER TABLE audit_event ADD COLUMN source TEXT;
CREATE UNIQUE INDEX audit_event_position ON audit_event (position);

-- What happened stays as it was written (rule 7).
CREATE TRIGGER log_identity_no_update BEFORE UPDATE ON log_identity BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_identity_no_delete BEFORE DELETE ON log_identity BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_leaf_no_update BEFORE UPDATE ON log_leaf BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_leaf_no_delete BEFORE DELETE ON log_leaf BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_node_no_update BEFORE UPDATE ON log_node BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER log_node_no_delete BEFORE DELETE ON log_node BEGIN SELECT RAISE(ABORT, 'append only'); END;
