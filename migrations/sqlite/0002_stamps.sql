-- Our own time-stamping unit: its certificates, and every token that it made.

CREATE TABLE stamping_certificate (
    -- also its key's
    label TEXT PRIMARY KEY NOT NULL,
    serial TEXT NOT NULL,
    certificate BLOB NOT NULL,
    -- the issuers, DER one after another, nearest first
    chain BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    -- the last moment at which its key stamps
    key_until BIGINT NOT NULL
);

CREATE TABLE stamp (
    -- the token's serial number, hexadecimal: no two tokens share one, whichever process or replica makes them
    serial TEXT PRIMARY KEY NOT NULL,
    seal_order TEXT NOT NULL REFERENCES seal_order (id),
    certificate TEXT NOT NULL REFERENCES stamping_certificate (label),
    -- genTime
    at BIGINT NOT NULL,
    -- what the token says (TSTInfo, DER)
    info BLOB NOT NULL
);
CREATE INDEX stamp_certificate_at ON stamp (certificate, at);

-- What happened stays as it was written (rule 7).
CREATE TRIGGER stamping_certificate_no_update BEFORE UPDATE ON stamping_certificate BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER stamping_certificate_no_delete BEFORE DELETE ON stamping_certificate BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER stamp_no_update BEFORE UPDATE ON stamp BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER stamp_no_delete BEFORE DELETE ON stamp BEGIN SELECT RAISE(ABORT, 'append only'); END;
