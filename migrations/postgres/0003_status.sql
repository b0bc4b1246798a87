-- What the responder and the lists stand on. Both folders hold the same statements but for the name of the bytes' type and
-- the triggers at the end.

-- Every serial number that an authority of ours gave away, written before its key signs: a responder says of others that it
-- does not know them.
CREATE TABLE issued_certificate (
    -- label of the key that signs; the root's own certificate is written down before the root is filed
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (issuer, serial)
);
-- Those made before this table was: seal certificates whose chain begins with our own issuing authority.
INSERT INTO issued_certificate (issuer, serial, at)
    SELECT c.label, s.serial, MIN(s.installed_at) FROM seal_certificate s JOIN ca_certificate c
    ON substr(s.chain, 1, length(c.certificate)) = c.certificate
    GROUP BY c.label, s.serial;

-- Keys that answer in an authority's place, each certificate short-lived and followed by the next.
CREATE TABLE responder_certificate (
    serial TEXT PRIMARY KEY NOT NULL,
    issuer TEXT NOT NULL REFERENCES ca_certificate (label),
    certificate BYTEA NOT NULL,
    not_after BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);

-- Answers signed beforehand, the newest to each question: replaced, for what was answered is in the orders.
CREATE TABLE ocsp_answer (
    -- SHA-256 of the CertID, hexadecimal
    question TEXT PRIMARY KEY NOT NULL,
    response BYTEA NOT NULL,
    -- the moment of the revocation that it tells of; none where it says good
    revoked_at BIGINT,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL
);

-- Numbers of revocation lists, taken before the list is signed: no two lists ever bear the same.
CREATE TABLE crl_number (
    issuer TEXT NOT NULL REFERENCES ca_certificate (label),
    number BIGINT NOT NULL,
    PRIMARY KEY (issuer, number)
);
INSERT INTO crl_number (issuer, number) SELECT issuer, number FROM crl;

-- What happened stays as it was written (rule 7).
CREATE TRIGGER issued_certificate_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON issued_certificate EXECUTE FUNCTION append_only();
CREATE TRIGGER crl_number_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crl_number EXECUTE FUNCTION append_only();
