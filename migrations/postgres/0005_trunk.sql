-- Lines to the outside. A carrier's secret is needed in clear to answer its challenges; it is never given out again.
CREATE TABLE trunk (
    trunk_key TEXT PRIMARY KEY,
    site_key TEXT NOT NULL REFERENCES site (site_key),
    settings TEXT NOT NULL,
    secret TEXT NOT NULL
);

-- The house's numbers as the world dials them, and what each leads to.
CREATE TABLE number (
    number TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    leads_to TEXT NOT NULL
);
