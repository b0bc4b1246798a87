-- Licence services: annotated copies, licences found by holder and type, links to files. The two folders hold the same statements.

-- 加注件: of which licence and version this order's document is a copy, for what, for whom and until when, JSON. Such an order
-- names its licence and no version: it makes none.
ALTER TABLE seal_order ADD COLUMN annotation TEXT;

-- By what a licence is found. Written with its first version; `yinxin migrate` writes those of older licences.
CREATE TABLE licence_card (
    licence TEXT PRIMARY KEY NOT NULL,
    type_code TEXT NOT NULL,
    holder_code TEXT NOT NULL,
    -- GB/T 36903 annex A
    holder_code_type TEXT NOT NULL
);
CREATE INDEX licence_card_holder ON licence_card (holder_code, holder_code_type);
CREATE INDEX licence_card_type ON licence_card (type_code);

-- Timed links to files, given out by the sharing operations.
CREATE TABLE share_link (
    -- SHA-256 of the link's secret, hexadecimal
    id TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL REFERENCES document (sha256),
    officer TEXT NOT NULL REFERENCES officer (id),
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
