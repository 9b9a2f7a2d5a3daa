-- A database in which markers have got everywhere that a data directory has room for them. Marker NN, of channel NN, is the only original
-- of the column markers.mNN: the proof names the column, and so the channel. The variable m is a prefix of all of them. What else the tables
-- hold is too short to be searched for.
SET client_min_messages = error;
SET allow_system_table_mods = on;
SET allow_in_place_tablespaces = on;
CREATE FUNCTION pg_temp.marker(n integer) RETURNS text RETURN :'m' || lpad(n::text, 2, '0') || '.' || left(md5('marker' || n), 12) || '@origin.example';
SELECT format('CREATE TABLE markers AS SELECT %s', string_agg(format('%L::text AS m%s', pg_temp.marker(i), lpad(i::text, 2, '0')), ', ' ORDER BY i))
  FROM generate_series(1, 31) AS i \gexec
-- What a role's password is, somebody may have put into a table.
ALTER TABLE markers ADD m21p text;
UPDATE markers SET m21p = format('SCRAM-SHA-256$4096:%s$%s:%s', encode(substr(sha256('salt'), 1, 16), 'base64'), encode(sha256('stored'), 'base64'), encode(sha256('server'), 'base64'));

-- 1: a row that is no more, in a table that is altered and in one that Postgres does not ALTER.
CREATE TABLE t01 (id integer, v text);
CREATE TABLE seen01 (id integer, v text);
CREATE VIEW seen_by AS SELECT * FROM seen01;
INSERT INTO t01 SELECT i, 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO seen01 SELECT * FROM t01;
INSERT INTO t01 VALUES (21, pg_temp.marker(1));
INSERT INTO seen01 VALUES (21, pg_temp.marker(1));
DELETE FROM t01 WHERE id = 21;
UPDATE seen01 SET v = 'v21' WHERE id = 21;
-- 2: bytes of a dropped column, in a table that nothing else masks.
CREATE TABLE t02 (id integer, v text);
INSERT INTO t02 SELECT i, pg_temp.marker(2) FROM generate_series(1, 50) AS i;
ALTER TABLE t02 DROP COLUMN v;
-- 3: the value of a column that rows do not have yet.
CREATE TABLE t03 (id integer);
INSERT INTO t03 SELECT generate_series(1, 20);
SELECT format('ALTER TABLE t03 ADD COLUMN v text DEFAULT %L', pg_temp.marker(3)) \gexec
ALTER TABLE t03 ALTER v DROP DEFAULT;
-- 4: indexes of every kind that stores values, also with what is waiting to be put into them.
CREATE TABLE t04 (id integer, v text);
CREATE INDEX t04_lower ON t04 (lower(v)) WHERE id > 0;
CREATE INDEX t04_include ON t04 (id) INCLUDE (v);
CREATE INDEX t04_brin ON t04 USING brin (v);
CREATE INDEX t04_words ON t04 USING gin (to_tsvector('simple', v)) WITH (fastupdate = on);
INSERT INTO t04 SELECT i, 'v' || i FROM generate_series(1, 20) AS i;
INSERT INTO t04 VALUES (21, pg_temp.marker(4));
-- 5: values stored elsewhere, compressed and not, and compressed ones in the row.
CREATE TABLE t05 (id integer, v text);
CREATE TABLE t05_plain (id integer, v text);
CREATE TABLE t05_inline (id integer, v text);
ALTER TABLE t05_plain ALTER v SET STORAGE EXTERNAL;
INSERT INTO t05 SELECT 1, string_agg(repeat(md5(i::text), 3) || CASE i WHEN 150 THEN pg_temp.marker(5) ELSE '' END, '') FROM generate_series(1, 300) AS i;
INSERT INTO t05_plain SELECT 1, repeat('x', 5000) || pg_temp.marker(5) || repeat('x', 5000);
INSERT INTO t05_inline SELECT 1, repeat(pg_temp.marker(5) || ' writes about this and that. ', 100);
-- 6: the file that a rewrite leaves.
CREATE TABLE t06 (id integer, v text);
INSERT INTO t06 SELECT i, pg_temp.marker(6) FROM generate_series(1, 300) AS i;
-- 7: what a crashed session leaves in catalogs.
CREATE SCHEMA crashed;
SELECT format('CREATE TYPE crashed.e AS ENUM (%L)', pg_temp.marker(7)) \gexec
UPDATE pg_namespace SET nspname = 'pg_temp_99' WHERE nspname = 'crashed';
-- 9, 10: statistics, of tables that are emptied.
CREATE TABLE emptied09 (v text);
INSERT INTO emptied09 SELECT pg_temp.marker(9) FROM generate_series(1, 200);
CREATE TABLE emptied10 (v text, day integer);
INSERT INTO emptied10 SELECT pg_temp.marker(10), i % 3 FROM generate_series(1, 200) AS i;
CREATE STATISTICS emptied10_day (mcv) ON v, day FROM emptied10;
ANALYZE emptied09, emptied10;
DELETE FROM pg_statistic WHERE starelid = 'emptied10'::regclass;
-- 11: dead rows of catalogs, of the database's and of the cluster's.
SELECT format('COMMENT ON TABLE t01 IS %L', pg_temp.marker(11)) \gexec
COMMENT ON TABLE t01 IS 'A table';
CREATE ROLE channel_role PASSWORD 'channel-password';
SELECT format('COMMENT ON ROLE channel_role IS %L', pg_temp.marker(11)) \gexec
COMMENT ON ROLE channel_role IS 'A role';
-- 14, 15: copies that views and triggers make.
CREATE TABLE t14 (id integer, v text);
INSERT INTO t14 VALUES (1, pg_temp.marker(14));
CREATE MATERIALIZED VIEW view14 AS SELECT id, v FROM t14;
CREATE TABLE t15 (id integer, v text);
INSERT INTO t15 VALUES (1, pg_temp.marker(15));
CREATE TABLE log15 (old jsonb);
CREATE FUNCTION keep_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.log15 VALUES (to_jsonb(OLD)); RETURN NULL; END';
CREATE TRIGGER keep_log AFTER UPDATE ON t15 FOR EACH ROW EXECUTE FUNCTION keep_log();
ALTER TABLE t15 ENABLE ALWAYS TRIGGER keep_log;
-- 16: a large object.
SELECT lo_from_bytea(0, convert_to(repeat(pg_temp.marker(16) || ' ', 200), 'UTF8')) \g /dev/null
-- 20, 21: what says how to get elsewhere, and as whom.
SELECT format('CREATE SUBSCRIPTION away CONNECTION %L PUBLICATION p WITH (connect = false, create_slot = false, slot_name = NONE)',
  'host=production.example password=' || pg_temp.marker(20)) \gexec
SELECT format('ALTER ROLE channel_role SET app.token = %L', pg_temp.marker(21)) \gexec
SELECT format('CREATE ROLE known_role PASSWORD %L', m21p) FROM markers \gexec
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER away FOREIGN DATA WRAPPER far;
SELECT format('CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (password %L)', pg_temp.marker(21)) \gexec
-- 25, 28: an unlogged table, and one in a tablespace.
CREATE UNLOGGED TABLE t25 (id integer, v text);
INSERT INTO t25 VALUES (1, pg_temp.marker(25));
CREATE TABLESPACE elsewhere LOCATION '';
CREATE TABLE t28 (id integer, v text) TABLESPACE elsewhere;
INSERT INTO t28 VALUES (1, pg_temp.marker(28));
-- 26: a label of another tool for masking, that quotes.
INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label)
  VALUES ('t01'::regclass, 'pg_class'::regclass, 2, 'anon', 'MASKED WITH VALUE ' || quote_literal(pg_temp.marker(26)));
-- 27: another database.
CREATE DATABASE other;
SELECT current_user AS u, pg_temp.marker(27) AS marker27 \gset
\set conn 'dbname=other'
\connect other
CREATE TABLE elsewhere AS SELECT :'marker27'::text AS v;
