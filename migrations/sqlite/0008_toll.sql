-- What calls to the outside may cost: one set of rules.
CREATE TABLE toll_rules (
    id BIGINT PRIMARY KEY,
    rules TEXT NOT NULL
);

-- What they have cost within the last day, in minutes since 1970; microseconds and millionths of a euro.
CREATE TABLE toll_spent (
    extension TEXT NOT NULL,
    minute BIGINT NOT NULL,
    talked_us BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    PRIMARY KEY (extension, minute)
);
