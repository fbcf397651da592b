CREATE TABLE call_record (
    call_key BIGINT PRIMARY KEY,
    started_at BIGINT NOT NULL,
    caller TEXT NOT NULL,
    dialled TEXT NOT NULL,
    outcome TEXT NOT NULL,
    record TEXT NOT NULL
);

CREATE INDEX call_record_started ON call_record (started_at);
