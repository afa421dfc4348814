-- Messages of the requester to annotators, and what a log needs.
CREATE TABLE message (
    id BIGINT PRIMARY KEY,
    annotator BIGINT NOT NULL,
    at BIGINT NOT NULL,
    body TEXT NOT NULL,
    seen BIGINT
);
CREATE INDEX message_annotator ON message (annotator, id);
CREATE INDEX message_unseen ON message (annotator) WHERE seen IS NULL;
CREATE INDEX event_annotator ON event (annotator, id);
