-- Messages. The twin for SQLite differs by WITHOUT ROWID alone.
CREATE TABLE messages (
	conversation_id TEXT NOT NULL REFERENCES conversations (id),
	seq BIGINT NOT NULL,
	rev BIGINT NOT NULL,
	id TEXT NOT NULL,
	sender_id TEXT NOT NULL REFERENCES users (id),
	recipient_id TEXT,
	content TEXT,
	content_digest TEXT NOT NULL,
	timestamp BIGINT NOT NULL,
	reply_to_id TEXT,
	edited_at BIGINT,
	deleted_at BIGINT,
	PRIMARY KEY (conversation_id, seq)
);
CREATE UNIQUE INDEX messages_by_id ON messages (conversation_id, id);
CREATE INDEX messages_by_rev ON messages (conversation_id, rev);
