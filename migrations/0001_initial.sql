-- People, conversations and who is in them. Times are epoch milliseconds, ids are lower-case UUIDs, revisions start at 1.
-- Text compares bytewise: on PostgreSQL the database is created with the collation "C".

-- What the database says of itself: schema and compatible_from (versions of the schema), epoch, timeline, state
-- (serving, loading, moved), change_no (the counter of write transactions, SQLite only).
CREATE TABLE meta (
	key TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('schema', '1'), ('compatible_from', '1'), ('state', 'serving'), ('change_no', '0');

CREATE TABLE users (
	id TEXT NOT NULL PRIMARY KEY,
	username TEXT NOT NULL,
	username_key TEXT NOT NULL UNIQUE,
	display_name TEXT NOT NULL,
	display_name_key TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	role TEXT NOT NULL CHECK (role IN ('member', 'admin')),
	last_rev BIGINT NOT NULL DEFAULT 0,
	change_no BIGINT NOT NULL DEFAULT 0,
	must_change_password BOOLEAN NOT NULL DEFAULT FALSE,
	created_at BIGINT NOT NULL,
	disabled_at BIGINT,
	deleted_at BIGINT
);
CREATE INDEX users_by_username ON users (username);
CREATE INDEX users_by_display_name ON users (display_name_key);
CREATE INDEX users_by_change_no ON users (change_no);

CREATE TABLE sessions (
	id TEXT NOT NULL PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id),
	user_rev BIGINT NOT NULL DEFAULT 0,
	family_hash TEXT NOT NULL UNIQUE,
	refresh_hash TEXT NOT NULL,
	previous_hash TEXT,
	rotated_at BIGINT,
	user_agent TEXT,
	address TEXT,
	created_at BIGINT NOT NULL,
	last_used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id, user_rev);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE conversations (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL CHECK (kind IN ('direct', 'group')),
	title TEXT,
	public BOOLEAN NOT NULL DEFAULT FALSE,
	slow_mode_s BIGINT NOT NULL DEFAULT 0,
	retention_days BIGINT,
	rev BIGINT NOT NULL,
	last_seq BIGINT NOT NULL DEFAULT 0,
	last_rev BIGINT NOT NULL,
	change_no BIGINT NOT NULL DEFAULT 0,
	created_by TEXT NOT NULL REFERENCES users (id),
	created_at BIGINT NOT NULL,
	deleted_at BIGINT
);
CREATE INDEX conversations_by_change_no ON conversations (change_no);

CREATE TABLE members (
	conversation_id TEXT NOT NULL REFERENCES conversations (id),
	user_id TEXT NOT NULL REFERENCES users (id),
	role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
	rev BIGINT NOT NULL,
	user_rev BIGINT NOT NULL,
	left_rev BIGINT NOT NULL DEFAULT 0,
	joined_at BIGINT NOT NULL,
	left_at BIGINT,
	read_seq BIGINT NOT NULL DEFAULT 0,
	delivered_seq BIGINT NOT NULL DEFAULT 0,
	muted_until BIGINT,
	PRIMARY KEY (conversation_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id, user_rev);
CREATE INDEX members_by_rev ON members (conversation_id, rev);
