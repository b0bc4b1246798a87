-- Ceilings of use, and the life of certificates and their keys. The two folders hold the same statements up to the
-- triggers at the end.

-- An order's running number among its seal's uses, and among its officer's uses of that seal; none for what is no use
-- of a seal. The date of the use n places back answers whether n uses lie within a window.
ALTER TABLE seal_order ADD COLUMN of_seal BIGINT;
ALTER TABLE seal_order ADD COLUMN of_officer BIGINT;
UPDATE seal_order SET of_seal = counted.of_seal, of_officer = counted.of_officer FROM (
    SELECT id,
        ROW_NUMBER() OVER (PARTITION BY seal ORDER BY written_at, id) AS of_seal,
        ROW_NUMBER() OVER (PARTITION BY seal, officer ORDER BY written_at, id) AS of_officer
    FROM seal_order WHERE seal IS NOT NULL
) AS counted WHERE counted.id = seal_order.id;
CREATE UNIQUE INDEX seal_order_of_seal ON seal_order (seal, of_seal);
CREATE UNIQUE INDEX seal_order_of_officer ON seal_order (seal, officer, of_officer);
CREATE INDEX seal_order_key ON seal_order (key_label, state);

-- What two administrators laid down; the newest row of a seal, or of a grant, counts.
CREATE TABLE ceiling (
    seal TEXT NOT NULL REFERENCES seal (number),
    position BIGINT NOT NULL,
    -- whose officer is meant; the seal itself where there is none
    grant_id TEXT REFERENCES seal_grant (id),
    -- none: what the settings say counts again
    an_hour BIGINT,
    a_day BIGINT,
    document TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL,
    PRIMARY KEY (seal, position)
);

CREATE TABLE use_alarm (
    seal TEXT NOT NULL REFERENCES seal (number),
    position BIGINT NOT NULL,
    -- whose ceiling; the seal's own where empty
    officer TEXT NOT NULL,
    -- hour | day
    span TEXT NOT NULL,
    -- near | reached | refused
    level TEXT NOT NULL,
    most BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (seal, position)
);
CREATE INDEX use_alarm_at ON use_alarm (at);

-- From when on a certificate is used for sealing; from its installation where none is given.
ALTER TABLE seal_certificate ADD COLUMN used_from BIGINT;

-- From when on the key may have been in other hands, where that is earlier (RFC 5280 5.3.2).
ALTER TABLE revocation ADD COLUMN invalid_since BIGINT;

-- That a key is to be destroyed once nothing waits for it.
CREATE TABLE key_end (
    key_label TEXT PRIMARY KEY NOT NULL,
    seal TEXT NOT NULL REFERENCES seal (number),
    -- not before this instant
    not_before BIGINT NOT NULL,
    document TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL
);

-- That it was.
CREATE TABLE key_destroyed (
    key_label TEXT PRIMARY KEY NOT NULL REFERENCES key_end (key_label),
    at BIGINT NOT NULL
);

-- Warnings of a certificate's end that were given, by the days before it.
CREATE TABLE certificate_warning (
    -- SHA-256 of the certificate, hexadecimal
    digest TEXT NOT NULL,
    days BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (digest, days)
);

-- What happened stays as it was written (rule 7).
CREATE TRIGGER ceiling_no_update BEFORE UPDATE ON ceiling BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER ceiling_no_delete BEFORE DELETE ON ceiling BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER use_alarm_no_update BEFORE UPDATE ON use_alarm BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER use_alarm_no_delete BEFORE DELETE ON use_alarm BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER key_end_no_update BEFORE UPDATE ON key_end BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER key_end_no_delete BEFORE DELETE ON key_end BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER key_destroyed_no_update BEFORE UPDATE ON key_destroyed BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER key_destroyed_no_delete BEFORE DELETE ON key_destroyed BEGIN SELECT RAISE(ABORT, 'append only'); END;
