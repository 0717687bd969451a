-- Styles and collections.

-- A style: prompt template, parameters (what the wire has, JSON) and models under a name (contract 13).
CREATE TABLE styles (
    id            TEXT    PRIMARY KEY,
    kind          TEXT    NOT NULL,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    prompt        TEXT    NOT NULL,
    params        TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL,
    info          TEXT,
    public        INTEGER NOT NULL,
    nsfw          INTEGER NOT NULL,
    sharedkey_id  TEXT    REFERENCES shared_keys (id) ON DELETE SET NULL,
    uses          INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, name)
);
CREATE INDEX styles_by_name ON styles (name);
CREATE INDEX styles_popular ON styles (kind, uses DESC, created_ms, id) WHERE public = 1;
CREATE INDEX styles_age ON styles (kind, created_ms, id) WHERE public = 1;
CREATE INDEX styles_by_sharedkey ON styles (sharedkey_id) WHERE sharedkey_id IS NOT NULL;

CREATE TABLE style_models (
    style_id  TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    model     TEXT    NOT NULL,
    PRIMARY KEY (style_id, place)
) WITHOUT ROWID;
CREATE INDEX style_models_by_model ON style_models (model, style_id);

CREATE TABLE style_tags (
    style_id  TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    tag       TEXT    NOT NULL,
    PRIMARY KEY (style_id, place)
) WITHOUT ROWID;
CREATE INDEX style_tags_by_tag ON style_tags (tag, style_id);

CREATE TABLE style_examples (
    id          TEXT    PRIMARY KEY,
    style_id    TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    url         TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    main        INTEGER NOT NULL,
    UNIQUE (style_id, url)
);

CREATE TABLE collections (
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    info        TEXT,
    public      INTEGER NOT NULL,
    uses        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, name)
);
CREATE INDEX collections_by_name ON collections (name);
CREATE INDEX collections_popular ON collections (uses DESC, created_ms, id) WHERE public = 1;
CREATE INDEX collections_age ON collections (created_ms, id) WHERE public = 1;

CREATE TABLE collection_styles (
    collection_id  TEXT    NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    style_id       TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    PRIMARY KEY (collection_id, place)
) WITHOUT ROWID;
CREATE INDEX collection_styles_by_style ON collection_styles (style_id);
