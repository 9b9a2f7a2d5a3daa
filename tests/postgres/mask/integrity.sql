-- Every promise that the catalogs make about the rows, checked by queries of their own. Prints a line for each that does not hold.
\set users 'relnamespace::regnamespace::text !~ ''^(pg_|information_schema)'''
-- Foreign keys.
SELECT format('SELECT %L, count(*) FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s) HAVING count(*) > 0',
    'foreign key ' || k.conname, k.conrelid::regclass, string_agg(format('c.%I IS NOT NULL', f.attname), ' AND '),
    k.confrelid::regclass, string_agg(format('p.%I = c.%I', t.attname, f.attname), ' AND '))
  FROM pg_constraint k, unnest(k.conkey, k.confkey) AS u (f, t), pg_attribute f, pg_attribute t
  WHERE k.contype = 'f' AND f.attrelid = k.conrelid AND f.attnum = u.f AND t.attrelid = k.confrelid AND t.attnum = u.t
  GROUP BY k.oid, k.conname, k.conrelid, k.confrelid \gexec
-- Unique indexes, of columns, of expressions, and partial ones.
SELECT format('SELECT %L, count(*) FROM (SELECT FROM %s WHERE %s GROUP BY %s HAVING count(*) > 1) d HAVING count(*) > 0',
    'unique index ' || c.relname, i.indrelid::regclass,
    concat_ws(' AND ', pg_get_expr(i.indpred, i.indrelid), string_agg(format('%s IS NOT NULL', pg_get_indexdef(i.indexrelid, n, true)), ' AND ')),
    string_agg(pg_get_indexdef(i.indexrelid, n, true), ', '))
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid, generate_series(1, i.indnkeyatts) AS n
  WHERE i.indisunique AND :users GROUP BY i.indexrelid, i.indrelid, i.indpred, c.relname \gexec
-- CHECKs of tables, NOT NULL, generated columns, partition bounds.
SELECT format('SELECT %L, count(*) FROM %s WHERE NOT (%s) HAVING count(*) > 0', 'check ' || conname, conrelid::regclass, pg_get_expr(conbin, conrelid))
  FROM pg_constraint WHERE contype = 'c' AND conrelid >= 16384 \gexec
SELECT format('SELECT %L, count(*) FROM %s WHERE %I IS NULL HAVING count(*) > 0', 'not null ' || attname, attrelid::regclass, attname)
  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE attnotnull AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p') AND :users \gexec
SELECT format('SELECT %L, count(*) FROM %s WHERE %I IS DISTINCT FROM (%s) HAVING count(*) > 0', 'generated ' || attname, attrelid::regclass, attname,
    pg_get_expr(adbin, adrelid))
  FROM pg_attribute JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attgenerated = 's' AND attrelid >= 16384 \gexec
SELECT format('SELECT %L, count(*) FROM %s WHERE NOT (%s) HAVING count(*) > 0', 'partition ' || relname, oid::regclass, pg_get_partition_constraintdef(oid))
  FROM pg_class WHERE relispartition AND relkind = 'r' \gexec
-- Domains: a cast there and back checks them again, and fails.
SELECT format('SELECT FROM (SELECT %I::text::%s AS v FROM %s) d WHERE v IS NULL AND false', attname, atttypid::regtype, attrelid::regclass)
  FROM pg_attribute JOIN pg_type t ON t.oid = atttypid AND typtype = 'd' JOIN pg_class c ON c.oid = attrelid
  WHERE relkind = 'r' AND NOT attisdropped AND :users \gexec
-- Exclusion constraints.
SELECT format('SELECT %L, count(*) FROM %s a JOIN %s b ON a.ctid < b.ctid AND %s HAVING count(*) > 0', 'exclusion ' || conname, conrelid::regclass,
    conrelid::regclass, string_agg(format('a.%I OPERATOR(%s.%s) b.%I', attname, oprnamespace::regnamespace, oprname, attname), ' AND '))
  FROM pg_constraint k, unnest(conkey, conexclop) AS u (col, op), pg_attribute, pg_operator o
  WHERE contype = 'x' AND attrelid = conrelid AND attnum = u.col AND o.oid = u.op GROUP BY k.oid, conname, conrelid \gexec
-- Materialized views hold what their query gives.
SELECT format('SELECT %L, count(*) FROM ((TABLE %s EXCEPT ALL (%s)) UNION ALL ((%s) EXCEPT ALL TABLE %s)) d HAVING count(*) > 0', 'materialized view ' || relname,
    oid::regclass, rtrim(pg_get_viewdef(oid), ';'), rtrim(pg_get_viewdef(oid), ';'), oid::regclass)
  FROM pg_class c WHERE relkind = 'm' \gexec
-- What is marked as not to be relied on.
SELECT 'invalid index', indexrelid::regclass FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive);
SELECT 'constraint not validated', conname FROM pg_constraint WHERE NOT convalidated;
SELECT 'trigger off', tgname FROM pg_trigger WHERE tgenabled <> 'O';
SELECT 'schema left behind', nspname FROM pg_namespace WHERE nspname ~ 'branchfs|^anon$' OR nspname ~ '^pg_(toast_)?temp';
