-- What people need of each other: groups that know their size, blocks, tokens for scripts, and when somebody was last there.

-- A program that keeps no member_count must not write any more.
UPDATE meta SET value = '4' WHERE key = 'compatible_from';

-- A log-in of a device, or a personal access token (a log-in without refresh, named and shown by how it begins).
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'device' CHECK (kind IN ('device', 'token'));
ALTER TABLE sessions ADD COLUMN name TEXT;
ALTER TABLE sessions ADD COLUMN prefix TEXT;

-- How many have not left, kept by whoever changes a membership: caps are asked on every cursor and keystroke.
ALTER TABLE conversations ADD COLUMN member_count BIGINT NOT NULL DEFAULT 0;
UPDATE conversations SET member_count =
	(SELECT count(*) FROM members m WHERE m.conversation_id = conversations.id AND m.left_at IS NULL);

-- When the member last said something in a conversation with slow_mode_s.
ALTER TABLE members ADD COLUMN last_sent_at BIGINT;

-- A block that was lifted stays as a row, so that the person's other devices can be told of it.
CREATE TABLE blocks (
	user_id TEXT NOT NULL REFERENCES users (id),
	blocked_user_id TEXT NOT NULL REFERENCES users (id),
	user_rev BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	removed_at BIGINT,
	PRIMARY KEY (user_id, blocked_user_id)
);
CREATE INDEX blocks_by_rev ON blocks (user_id, user_rev);

-- The durable shadow of presence, written behind.
CREATE TABLE connections (
	user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
	connection_status TEXT NOT NULL CHECK (connection_status IN ('online', 'offline')),
	last_seen BIGINT NOT NULL
);
