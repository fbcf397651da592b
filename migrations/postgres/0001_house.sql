-- What is drawn once and never changes: the digest realm, the key that signs nonces.
CREATE TABLE house (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE site (
    site_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL
);

INSERT INTO site (site_key, name, time_zone) VALUES ('main', 'main', 'Europe/Paris');

-- Times are microseconds since 1970 UTC. Secrets are kept as their digests alone.
CREATE TABLE extension (
    number TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    site_key TEXT NOT NULL REFERENCES site (site_key),
    email TEXT,
    enabled BOOLEAN NOT NULL,
    ha1_md5 TEXT NOT NULL,
    ha1_sha256 TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE binding (
    aor TEXT NOT NULL,
    contact TEXT NOT NULL,
    binding TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (aor, contact)
);

CREATE TABLE dialplan (
    revision BIGINT PRIMARY KEY,
    plan TEXT NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
