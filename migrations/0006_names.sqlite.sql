-- A stamp of the names that people have: another one with every change of any, so that what shows names under it need not read them
-- again to be known as fresh. By triggers, so that nobody who changes a name has to think of it. The twins differ by these alone.
INSERT INTO meta (key, value) VALUES ('names', lower(hex(randomblob(16))));
CREATE TRIGGER users_renamed AFTER UPDATE OF username, display_name, deleted_at ON users
WHEN OLD.username IS NOT NEW.username OR OLD.display_name IS NOT NEW.display_name OR OLD.deleted_at IS NOT NEW.deleted_at BEGIN
	UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'names';
END;
CREATE TRIGGER users_removed AFTER DELETE ON users BEGIN
	UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'names';
END;
