-- What requesters' programs bring along: pools that know when they were opened, suites put together by hand, operations with
-- logs, skills. Votes, annotators and bans stay where they are.

ALTER TABLE pool ADD COLUMN started BIGINT;
ALTER TABLE pool ADD COLUMN stopped BIGINT;
ALTER TABLE pool ADD COLUMN close_reason TEXT;

-- What was said of a task beside what it shows and its known answers; empty for tasks of `pool build`.
-- Further values of kind: 4, a control that stands in a suite put together by hand and nowhere else.
ALTER TABLE task ADD COLUMN extra TEXT;

-- `suite`: the suite put together by hand that was given; empty where tasks were mixed for this annotator.
-- `decided`: when the requester (or the pool, at once) accepted or rejected it.
ALTER TABLE assignment ADD COLUMN suite BIGINT;
ALTER TABLE assignment ADD COLUMN decided BIGINT;

-- Suites put together by hand: everybody gets the same tasks. Counts as in `task`.
CREATE TABLE suite (
    id BIGINT PRIMARY KEY,
    pool BIGINT NOT NULL,
    wanted BIGINT NOT NULL,
    held BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    place DOUBLE PRECISION NOT NULL,
    first_task BIGINT NOT NULL,
    tasks TEXT NOT NULL,
    extra TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX suite_open ON suite (pool, place) WHERE held < wanted;

-- `id` is chosen by who asked for it, or by the server: a UUID. The same again is refused.
CREATE TABLE operation (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    submitted BIGINT NOT NULL,
    finished BIGINT,
    parameters TEXT NOT NULL,
    details TEXT NOT NULL
);

-- What became of each input. What was made is named by `subject` and not written again; `document` is the input and the reasons
-- where nothing was made. `mark` is what the client called the input.
CREATE TABLE operation_log (
    operation TEXT NOT NULL,
    place BIGINT NOT NULL,
    kind TEXT NOT NULL,
    success BIGINT NOT NULL,
    subject BIGINT,
    mark TEXT,
    document TEXT,
    PRIMARY KEY (operation, place)
);

CREATE TABLE aggregate (
    operation TEXT NOT NULL,
    task BIGINT NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    output TEXT NOT NULL,
    PRIMARY KEY (operation, task)
);

CREATE TABLE skill (
    id BIGINT PRIMARY KEY,
    created BIGINT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE annotator_skill (
    id BIGINT PRIMARY KEY,
    annotator BIGINT NOT NULL,
    skill BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE UNIQUE INDEX annotator_skill_one ON annotator_skill (annotator, skill);
