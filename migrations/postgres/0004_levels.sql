-- How long what is sealed is to be checkable, orders that wait, and the forms that documents take when they are renewed.

-- Seals filed before stay as they were: the signature alone.
ALTER TABLE seal ADD COLUMN level TEXT NOT NULL DEFAULT 'B-B';

-- What the document was promised, whatever its seal's level becomes.
ALTER TABLE seal_order ADD COLUMN level TEXT NOT NULL DEFAULT 'B-B';

-- Orders that could not be finished when they were tried: why, and when they are tried next. How they ended stands in
-- seal_order.
CREATE TABLE order_wait (
    order_id TEXT PRIMARY KEY NOT NULL REFERENCES seal_order (id),
    since BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    next_try BIGINT NOT NULL,
    -- what was said to people, JSON
    because TEXT NOT NULL
);

-- A document with archive time stamps and the forms it took since: the same bytes, and behind them newer evidence and a
-- newer time stamp. Position 0 is the document as it was issued.
CREATE TABLE document_form (
    original TEXT NOT NULL REFERENCES document (sha256),
    position BIGINT NOT NULL,
    document TEXT NOT NULL REFERENCES document (sha256),
    -- from when on its newest time stamp proves nothing by itself
    lapses_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (original, position)
);
CREATE INDEX document_form_lapses ON document_form (lapses_at);
CREATE INDEX document_form_document ON document_form (document);

-- What happened stays as it was written (rule 7).
CREATE TRIGGER document_form_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON document_form EXECUTE FUNCTION append_only();
