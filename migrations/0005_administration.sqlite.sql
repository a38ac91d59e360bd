-- Who may sign up, and what was done by those who may do everything. The twins differ by the triggers alone.

-- Whoever has the code may sign up, once. Only its hash is kept.
CREATE TABLE invites (
	id TEXT NOT NULL PRIMARY KEY,
	code_hash TEXT NOT NULL UNIQUE,
	note TEXT,
	created_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_by TEXT REFERENCES users (id),
	used_at BIGINT,
	revoked_at BIGINT
);

-- The setting auth.sign_up holds until somebody says otherwise here.
INSERT INTO meta (key, value) VALUES ('sign_up', 'default');

-- Acts of administrators and operators. actor is a person's id or operator:<account>; ids sort by time.
CREATE TABLE audit (
	id TEXT NOT NULL PRIMARY KEY,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT,
	address TEXT,
	request_id TEXT,
	detail TEXT NOT NULL
);
CREATE INDEX audit_by_target ON audit (target, id);
CREATE INDEX audit_by_actor ON audit (actor, id);

-- A row stays as it was written.
CREATE TRIGGER audit_not_updated BEFORE UPDATE ON audit BEGIN
	SELECT RAISE(ABORT, 'audit is append-only');
END;
-- INSERT OR REPLACE deletes without that trigger.
CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) BEGIN
	SELECT RAISE(ABORT, 'audit is append-only');
END;
CREATE TRIGGER audit_not_deleted BEFORE DELETE ON audit BEGIN
	SELECT RAISE(ABORT, 'audit is append-only');
END;
