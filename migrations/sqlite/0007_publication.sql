-- What phones say of their owners, until they say something else or nothing.
CREATE TABLE publication (
    entity_tag TEXT PRIMARY KEY,
    publication TEXT NOT NULL
);
