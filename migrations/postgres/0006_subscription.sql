CREATE TABLE subscription (
    subscription_key BIGINT PRIMARY KEY,
    subscription TEXT NOT NULL
);
