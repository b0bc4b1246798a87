-- Times are microseconds since 1970-01-01T00:00:00Z. Identifiers are text. The two folders hold the same statements;
-- only the name of the bytes' type and the triggers at the end differ (tests compare them).

CREATE TABLE authority (
    uscc TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL
);

CREATE TABLE item (
    code TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    department TEXT NOT NULL REFERENCES authority (uscc),
    example BIGINT NOT NULL
);

CREATE TABLE item_transfer (
    item TEXT NOT NULL REFERENCES item (code),
    to_authority TEXT NOT NULL REFERENCES authority (uscc),
    batch TEXT NOT NULL,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (item, at)
);

CREATE TABLE officer (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    authority TEXT NOT NULL REFERENCES authority (uscc),
    employment TEXT NOT NULL,
    duties TEXT NOT NULL,
    -- from this instant on the officer may do nothing any more
    left_at BIGINT,
    -- argon2id, PHC form; empty where the officer cannot sign in
    password TEXT NOT NULL
);

-- Turns to try a password that have not ended with the right one.
CREATE TABLE sign_in_turn (
    officer TEXT NOT NULL REFERENCES officer (id),
    -- a known browser, or empty for every other
    source TEXT NOT NULL,
    failures BIGINT NOT NULL,
    wait_until BIGINT NOT NULL,
    PRIMARY KEY (officer, source)
);

-- Browsers in which an officer has signed in.
CREATE TABLE known_browser (
    -- SHA-256 of the cookie's value, hexadecimal
    id TEXT NOT NULL,
    officer TEXT NOT NULL REFERENCES officer (id),
    known_until BIGINT NOT NULL,
    PRIMARY KEY (id, officer)
);

CREATE TABLE session (
    -- SHA-256 of the cookie's value, hexadecimal: a stolen database opens no session
    id TEXT PRIMARY KEY NOT NULL,
    officer TEXT NOT NULL REFERENCES officer (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE api_token (
    -- SHA-256 of the token, hexadecimal
    id TEXT PRIMARY KEY NOT NULL,
    officer TEXT NOT NULL REFERENCES officer (id),
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE seal (
    number TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL REFERENCES authority (uscc),
    owner_name TEXT NOT NULL,
    legend TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- the picture's description, JSON
    impression TEXT NOT NULL,
    -- grows with every event and grant; an order on stale facts finds another value and is refused
    revision BIGINT NOT NULL
);
CREATE INDEX seal_owner ON seal (owner);

CREATE TABLE seal_event (
    seal TEXT NOT NULL REFERENCES seal (number),
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    document TEXT NOT NULL,
    reason TEXT NOT NULL,
    successor TEXT,
    items TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL,
    PRIMARY KEY (seal, position)
);

CREATE TABLE seal_certificate (
    -- SHA-256 of the certificate, hexadecimal
    digest TEXT PRIMARY KEY NOT NULL,
    seal TEXT NOT NULL REFERENCES seal (number),
    serial TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    -- the issuers, DER one after another, nearest first
    chain BYTEA NOT NULL,
    key_label TEXT NOT NULL,
    installed_at BIGINT NOT NULL
);
CREATE INDEX seal_certificate_seal ON seal_certificate (seal, installed_at);

CREATE TABLE seal_grant (
    id TEXT PRIMARY KEY NOT NULL,
    officer TEXT NOT NULL REFERENCES officer (id),
    seal TEXT NOT NULL REFERENCES seal (number),
    -- JSON: "all" or {"only":[…]}
    items TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    given_by TEXT NOT NULL,
    document TEXT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX seal_grant_officer ON seal_grant (officer, seal);

CREATE TABLE custody_entry (
    seal TEXT NOT NULL REFERENCES seal (number),
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- the entry as written, JSON
    entry TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    PRIMARY KEY (seal, position)
);

CREATE TABLE abolition (
    number TEXT PRIMARY KEY NOT NULL,
    -- the order as written, JSON
    abolition TEXT NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    confirmed_by TEXT NOT NULL
);

CREATE TABLE decision (
    number TEXT PRIMARY KEY NOT NULL,
    case_number TEXT NOT NULL,
    item TEXT NOT NULL REFERENCES item (code),
    -- the decision as read, JSON
    decision TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    decided_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);

-- Everything a key is asked to sign, written down before the key is touched.
CREATE TABLE seal_order (
    id TEXT PRIMARY KEY NOT NULL,
    -- licence | upload | notice | certificate | crl | request
    kind TEXT NOT NULL,
    -- written | sealed | lost
    state TEXT NOT NULL,
    -- what may happen only once, unless it was lost
    once_key TEXT,
    -- SHA-256 of the whole request behind it, hexadecimal: the same key for another request is refused
    request TEXT,
    key_label TEXT NOT NULL,
    to_be_signed BYTEA NOT NULL,
    seal TEXT REFERENCES seal (number),
    certificate TEXT REFERENCES seal_certificate (digest),
    officer TEXT NOT NULL,
    grant_id TEXT,
    decision TEXT REFERENCES decision (number),
    abolition TEXT REFERENCES abolition (number),
    -- the licence's version as it will stand, JSON, and its number
    licence_version TEXT,
    licence TEXT,
    version BIGINT,
    title TEXT NOT NULL,
    -- the document with its hole; emptied once sealed, the sealed document holds the same bytes
    prepared BYTEA NOT NULL,
    hole_start BIGINT NOT NULL,
    hole_end BIGINT NOT NULL,
    -- SHA-256 of the document's signed bytes, hexadecimal
    digest TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    ended_at BIGINT,
    -- why it was lost
    lost_because TEXT,
    -- SHA-256 of the sealed document, hexadecimal
    document TEXT
);
CREATE UNIQUE INDEX seal_order_once ON seal_order (once_key) WHERE state <> 'lost';
CREATE UNIQUE INDEX seal_order_version ON seal_order (licence, version) WHERE state <> 'lost';
CREATE INDEX seal_order_state ON seal_order (state, written_at);
CREATE INDEX seal_order_seal ON seal_order (seal, written_at);
CREATE INDEX seal_order_digest ON seal_order (digest);

CREATE TABLE document (
    -- SHA-256 of the bytes, hexadecimal
    sha256 TEXT PRIMARY KEY NOT NULL,
    media_type TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    stored_at BIGINT NOT NULL
);

CREATE TABLE licence_version (
    identifier TEXT PRIMARY KEY NOT NULL,
    licence TEXT NOT NULL,
    version BIGINT NOT NULL,
    act TEXT NOT NULL,
    at BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_until BIGINT,
    name TEXT NOT NULL,
    holder_name TEXT NOT NULL,
    decision TEXT NOT NULL REFERENCES decision (number),
    template TEXT NOT NULL,
    template_version TEXT NOT NULL,
    -- what was printed, JSON
    data TEXT NOT NULL,
    document TEXT REFERENCES document (sha256),
    recorded_at BIGINT NOT NULL,
    UNIQUE (licence, version)
);

CREATE TABLE ca_certificate (
    label TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    serial TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    made_at BIGINT NOT NULL
);

CREATE TABLE revocation (
    serial TEXT PRIMARY KEY NOT NULL,
    issuer TEXT NOT NULL REFERENCES ca_certificate (label),
    at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    document TEXT NOT NULL,
    recorded_at BIGINT NOT NULL
);

CREATE TABLE crl (
    issuer TEXT NOT NULL REFERENCES ca_certificate (label),
    number BIGINT NOT NULL,
    crl BYTEA NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE audit_event (
    id TEXT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- JSON
    detail TEXT NOT NULL
);
CREATE INDEX audit_event_at ON audit_event (at);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- JSON
    payload TEXT NOT NULL,
    written_at BIGINT NOT NULL,
    delivered_at BIGINT
);

-- What happened stays as it was written (rule 7).
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'append only'; END $$;
CREATE TRIGGER item_transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON item_transfer EXECUTE FUNCTION append_only();
CREATE TRIGGER seal_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seal_event EXECUTE FUNCTION append_only();
CREATE TRIGGER custody_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody_entry EXECUTE FUNCTION append_only();
CREATE TRIGGER abolition_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON abolition EXECUTE FUNCTION append_only();
CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision EXECUTE FUNCTION append_only();
CREATE TRIGGER document_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON document EXECUTE FUNCTION append_only();
CREATE TRIGGER licence_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON licence_version EXECUTE FUNCTION append_only();
CREATE TRIGGER revocation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON revocation EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event EXECUTE FUNCTION append_only();
