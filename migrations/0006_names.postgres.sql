-- A stamp of the names that people have: another one with every change of any, so that what shows names under it need not read them
-- again to be known as fresh. By triggers, so that nobody who changes a name has to think of it. The twins differ by these alone.
INSERT INTO meta (key, value) VALUES ('names', replace(gen_random_uuid()::text, '-', ''));
CREATE FUNCTION stamp_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE meta SET value = replace(gen_random_uuid()::text, '-', '') WHERE key = 'names';
	RETURN NULL;
END
$$;
CREATE TRIGGER users_renamed AFTER UPDATE OF username, display_name, deleted_at ON users FOR EACH ROW
	WHEN (OLD.username IS DISTINCT FROM NEW.username OR OLD.display_name IS DISTINCT FROM NEW.display_name
		OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
	EXECUTE FUNCTION stamp_names();
CREATE TRIGGER users_removed AFTER DELETE ON users FOR EACH STATEMENT EXECUTE FUNCTION stamp_names();
