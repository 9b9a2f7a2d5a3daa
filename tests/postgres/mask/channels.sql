-- A database in which the e-mail addresses of `people` have got everywhere that a data directory has room for them. The
-- variable m is a prefix: marker NN is an address that begins with it.
SET client_min_messages = error;
CREATE TABLE people (id integer PRIMARY KEY, email text NOT NULL UNIQUE, bio text, bio_plain text, grp integer);
ALTER TABLE people ALTER bio_plain SET STORAGE EXTERNAL;
CREATE FUNCTION pg_temp.marker(n integer) RETURNS text RETURN :'m' || lpad(n::text, 2, '0') || '.' || left(md5('marker' || n), 12) || '@origin.example';
INSERT INTO people SELECT i, CASE WHEN i <= 31 THEN pg_temp.marker(i) ELSE 'p' || md5(i::text) || '@origin.example' END, NULL, NULL, i % 5 FROM generate_series(1, 400) AS i;
-- 1, 5: dead rows, in the heap and in TOAST, compressed and not.
UPDATE people SET bio = repeat(pg_temp.marker(5) || ' writes a lot about this and that. ', 300), bio_plain = repeat(md5(id::text) || email, 80) WHERE id % 10 = 5;
UPDATE people SET email = email || '.old' WHERE id = 40;
UPDATE people SET email = pg_temp.marker(1) || '.x' WHERE id = 40;
-- 2: bytes of a dropped column, in a table that nothing else masks.
CREATE TABLE visits (id integer, note text, at date);
INSERT INTO visits SELECT i, pg_temp.marker(2), '2026-01-01' FROM generate_series(1, 50) AS i;
ALTER TABLE visits DROP COLUMN note;
-- 3: the value of a column that rows do not have yet.
SELECT format('ALTER TABLE people ADD COLUMN origin text DEFAULT %L', pg_temp.marker(3)) \gexec
ALTER TABLE people ALTER origin DROP DEFAULT;
-- 4: indexes, also with what is waiting to be put into them.
CREATE INDEX people_lower ON people (lower(email)) INCLUDE (bio_plain) WHERE bio_plain IS NULL;
CREATE INDEX people_brin ON people USING brin (email);
CREATE INDEX people_words ON people USING gin (to_tsvector('simple', email)) WITH (fastupdate = on);
UPDATE people SET grp = 7 WHERE id IN (4, 41);
-- 9, 10: statistics.
CREATE TABLE mails (id integer PRIMARY KEY, email text NOT NULL, day integer);
INSERT INTO mails SELECT i, pg_temp.marker(9 + i % 2), i % 3 FROM generate_series(1, 200) AS i;
CREATE STATISTICS mails_day (mcv) ON email, day FROM mails;
ANALYZE;
-- 11: dead rows of catalogs, of the database's and of the cluster's.
SELECT format('COMMENT ON TABLE people IS %L', pg_temp.marker(11)) \gexec
COMMENT ON TABLE people IS 'People';
CREATE ROLE channel_role PASSWORD 'channel-password';
SELECT format('COMMENT ON ROLE channel_role IS %L', pg_temp.marker(11)) \gexec
COMMENT ON ROLE channel_role IS 'A role';
-- 14, 15: copies that views and triggers make.
CREATE MATERIALIZED VIEW people_copy AS SELECT id, email FROM people;
CREATE TABLE trail (at timestamptz DEFAULT now(), old jsonb);
CREATE FUNCTION keep_trail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO trail (old) VALUES (to_jsonb(OLD)); RETURN NULL; END';
CREATE TRIGGER keep_trail AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keep_trail();
-- The way for tables that Postgres does not ALTER.
CREATE TABLE seen (id integer PRIMARY KEY, email text, letter text);
ALTER TABLE seen ALTER letter SET STORAGE EXTERNAL;
INSERT INTO seen SELECT id, email, CASE WHEN id % 9 = 0 THEN (SELECT string_agg(md5(n * 1000 + id || ''), '') FROM generate_series(1, 100) AS n) END FROM people;
CREATE VIEW seen_by AS SELECT * FROM seen;
-- 16: a large object.
SELECT lo_from_bytea(0, convert_to(repeat(pg_temp.marker(16) || ' ', 200), 'UTF8')) \g /dev/null
-- 20, 21: what says how to get elsewhere.
SELECT format('CREATE SUBSCRIPTION away CONNECTION %L PUBLICATION p WITH (connect = false, create_slot = false, slot_name = NONE)',
  'host=production.example password=' || pg_temp.marker(20)) \gexec
SELECT format('ALTER ROLE channel_role SET app.token = %L', pg_temp.marker(21)) \gexec
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER away FOREIGN DATA WRAPPER far;
SELECT format('CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (password %L)', pg_temp.marker(21)) \gexec
-- 25, 28: an unlogged table, and one in a tablespace.
CREATE UNLOGGED TABLE raw (id integer, email text);
INSERT INTO raw SELECT id, email FROM people;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE elsewhere LOCATION '';
CREATE TABLE far_away (id integer, email text) TABLESPACE elsewhere;
INSERT INTO far_away SELECT id, email FROM people;
