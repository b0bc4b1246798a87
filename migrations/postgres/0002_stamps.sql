-- Our own time-stamping unit: its certificates, and every token that it made.

CREATE TABLE stamping_certificate (
    -- also its key's
    label TEXT PRIMARY KEY NOT NULL,
    serial TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    -- the issuers, DER one after another, nearest first
    chain BYTEA NOT NULL,
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
    info BYTEA NOT NULL
);
CREATE INDEX stamp_certificate_at ON stamp (certificate, at);

-- What happened stays as it was written (rule 7).
CREATE TRIGGER stamping_certificate_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stamping_certificate EXECUTE FUNCTION append_only();
CREATE TRIGGER stamp_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stamp EXECUTE FUNCTION append_only();
