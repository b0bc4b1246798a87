-- Seals as data (GB/T 38540), and licences in two files. The two folders hold the same statements but for the name of the
-- bytes' type and the triggers at the end.

-- Who makes seals: a key of its own that vouches for them and seals no document.
CREATE TABLE seal_maker (
    -- also its key's
    label TEXT PRIMARY KEY NOT NULL,
    serial TEXT NOT NULL,
    certificate BLOB NOT NULL,
    -- the issuers, DER one after another, nearest first
    chain BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL
);

-- A seal as its maker signed it (SESeal, an .esl file) for one certificate; the newest of a certificate counts.
CREATE TABLE seal_file (
    -- SHA-256 of the file, hexadecimal
    digest TEXT PRIMARY KEY NOT NULL,
    seal TEXT NOT NULL REFERENCES seal (number),
    -- who may use it
    certificate TEXT NOT NULL REFERENCES seal_certificate (digest),
    file BLOB NOT NULL,
    -- the issuers of its maker's certificate, DER one after another, nearest first
    maker_chain BLOB NOT NULL,
    made_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL
);
CREATE INDEX seal_file_certificate ON seal_file (certificate, recorded_at);

-- One licence may be sealed in both formats under one decision: two orders, of the same version.
ALTER TABLE seal_order ADD COLUMN media_type TEXT NOT NULL DEFAULT 'application/pdf';
DROP INDEX seal_order_version;
CREATE UNIQUE INDEX seal_order_version ON seal_order (licence, version, media_type) WHERE state <> 'lost';

-- Every file of a licence's version; licence_version names the one that was sealed first.
CREATE TABLE licence_file (
    identifier TEXT NOT NULL REFERENCES licence_version (identifier),
    media_type TEXT NOT NULL,
    document TEXT NOT NULL REFERENCES document (sha256),
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (identifier, media_type)
);
INSERT INTO licence_file (identifier, media_type, document, recorded_at)
    SELECT identifier, 'application/pdf', document, recorded_at FROM licence_version WHERE document IS NOT NULL;

-- What happened stays as it was written (rule 7).
CREATE TRIGGER seal_maker_no_update BEFORE UPDATE ON seal_maker BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER seal_maker_no_delete BEFORE DELETE ON seal_maker BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER seal_file_no_update BEFORE UPDATE ON seal_file BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER seal_file_no_delete BEFORE DELETE ON seal_file BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER licence_file_no_update BEFORE UPDATE ON licence_file BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER licence_file_no_delete BEFORE DELETE ON licence_file BEGIN SELECT RAISE(ABORT, 'append only'); END;
