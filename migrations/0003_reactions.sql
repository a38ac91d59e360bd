-- Reactions. A message's seq is its place for ever, so its reactions are found with its page by one range; a change bumps the
-- message's rev.
CREATE TABLE reactions (
	conversation_id TEXT NOT NULL REFERENCES conversations (id),
	seq BIGINT NOT NULL,
	emoji TEXT NOT NULL,
	user_id TEXT NOT NULL REFERENCES users (id),
	created_at BIGINT NOT NULL,
	PRIMARY KEY (conversation_id, seq, emoji, user_id)
);
