-- What records are looked for by. `callee` is who answered, else who was rung first. No record was ever kept here before.
ALTER TABLE call_record ADD COLUMN answered_at BIGINT;
ALTER TABLE call_record ADD COLUMN caller_name TEXT NOT NULL DEFAULT '';
ALTER TABLE call_record ADD COLUMN callee TEXT NOT NULL DEFAULT '';

DROP INDEX call_record_started;

-- All that a search looks at, so that it reads no record before it knows which.
CREATE INDEX call_record_search
    ON call_record (started_at, call_key, outcome, answered_at, caller, dialled, callee, caller_name);
