-- What records are looked for by. `callee` is who answered, else who was rung first.
ALTER TABLE call_record ADD COLUMN answered_at BIGINT;
ALTER TABLE call_record ADD COLUMN caller_name TEXT NOT NULL DEFAULT '';
ALTER TABLE call_record ADD COLUMN callee TEXT NOT NULL DEFAULT '';

UPDATE call_record SET
    answered_at = json_extract(record, '$.answered'),
    caller_name = COALESCE(json_extract(record, '$.caller_name'), ''),
    callee = COALESCE(
        (SELECT json_extract(leg.value, '$.party') FROM json_each(call_record.record, '$.legs') AS leg
         WHERE leg.key > 0 AND json_extract(leg.value, '$.answered') IS NOT NULL LIMIT 1),
        json_extract(record, '$.legs[1].party'),
        ''
    );

DROP INDEX call_record_started;

-- All that a search looks at, so that it reads no record before it knows which.
CREATE INDEX call_record_search
    ON call_record (started_at, call_key, outcome, answered_at, caller, dialled, callee, caller_name);
