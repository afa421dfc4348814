-- One schema for SQLite and PostgreSQL. Times are milliseconds since 1970-01-01T00:00:00Z. JSON is kept as text.

-- One row. Every batch of changes begins by touching it, which is the lock that makes decisions one at a time, whichever of
-- several servers makes them. `next_id` is the source of all ids; `writer` is the server that wrote last.
CREATE TABLE turn (
    one BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    writer TEXT NOT NULL,
    next_id BIGINT NOT NULL
);
INSERT INTO turn (one, number, writer, next_id) VALUES (1, 0, '', 1);

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE project (
    id BIGINT PRIMARY KEY,
    status TEXT NOT NULL,
    created BIGINT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE pool (
    id BIGINT PRIMARY KEY,
    project BIGINT NOT NULL,
    status TEXT NOT NULL,
    created BIGINT NOT NULL,
    settings TEXT NOT NULL,
    document TEXT NOT NULL
);

-- kind: 0 real, 1 control, 2 practice, 3 a control no longer used. `held` counts accepted and active votes, `accepted` those that count.
-- `place` is a random number: the order in which tasks of equal need are given out.
CREATE TABLE task (
    id BIGINT PRIMARY KEY,
    pool BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind BIGINT NOT NULL,
    wanted BIGINT NOT NULL,
    held BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    place BIGINT NOT NULL,
    stratum BIGINT NOT NULL,
    content TEXT NOT NULL,
    known TEXT,
    created BIGINT NOT NULL
);
CREATE UNIQUE INDEX task_name ON task (pool, name);
CREATE INDEX task_open ON task (pool, held, place) WHERE kind = 0 AND held < wanted;
CREATE INDEX task_known ON task (pool, kind, id) WHERE kind <> 0;

-- `token` is the hash of what the annotator's browser carries.
CREATE TABLE annotator (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    token TEXT NOT NULL,
    created BIGINT NOT NULL,
    stage TEXT NOT NULL,
    version BIGINT NOT NULL,
    active BIGINT,
    answered BIGINT NOT NULL,
    suites BIGINT NOT NULL
);
CREATE UNIQUE INDEX annotator_name ON annotator (name);
CREATE UNIQUE INDEX annotator_token ON annotator (token);

-- What an annotator says of themselves: apart from the votes, and erasable without touching them.
CREATE TABLE profile (
    annotator BIGINT PRIMARY KEY,
    consented BIGINT NOT NULL,
    birth_year BIGINT,
    expected_error DOUBLE PRECISION,
    contact TEXT,
    language TEXT
);

CREATE TABLE invitation (
    code TEXT PRIMARY KEY,
    created BIGINT NOT NULL,
    uses_left BIGINT NOT NULL,
    note TEXT NOT NULL
);

-- state: active, submitted, accepted, rejected, skipped, expired, closed (taken back when the annotator was banned).
-- `counted`: 1 while its votes count towards what is wanted, 0 once they were asked of others.
CREATE TABLE assignment (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    annotator BIGINT NOT NULL,
    pool BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended BIGINT,
    token TEXT,
    tasks TEXT NOT NULL,
    comment TEXT,
    counted BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX assignment_name ON assignment (name);
CREATE INDEX assignment_pool ON assignment (pool, id);
CREATE INDEX assignment_annotator ON assignment (annotator, id);
CREATE INDEX assignment_due ON assignment (expires) WHERE state = 'active';

-- `output` is {"question": answer, …}; `first` what was answered first, where it was changed; times as the browser saw them.
CREATE TABLE answer (
    assignment BIGINT NOT NULL,
    place BIGINT NOT NULL,
    task BIGINT NOT NULL,
    annotator BIGINT NOT NULL,
    output TEXT NOT NULL,
    first TEXT,
    edits BIGINT NOT NULL,
    seconds DOUBLE PRECISION,
    timing TEXT,
    PRIMARY KEY (assignment, place)
);
CREATE INDEX answer_annotator ON answer (annotator, assignment);
CREATE INDEX answer_task ON answer (task);

-- How often an annotator was given a task, whatever became of it.
CREATE TABLE met (
    annotator BIGINT NOT NULL,
    task BIGINT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (annotator, task)
);

-- Bans. `lifted` is empty while it holds; `until` is empty for ever.
CREATE TABLE restriction (
    id BIGINT PRIMARY KEY,
    annotator BIGINT NOT NULL,
    scope TEXT NOT NULL,
    project BIGINT,
    pool BIGINT,
    origin TEXT NOT NULL,
    comment TEXT NOT NULL,
    evidence TEXT,
    created BIGINT NOT NULL,
    until BIGINT,
    lifted BIGINT
);
CREATE INDEX restriction_annotator ON restriction (annotator, id);

CREATE TABLE event (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    annotator BIGINT,
    subject BIGINT,
    detail TEXT NOT NULL
);
