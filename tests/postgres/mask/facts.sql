-- What masking must leave as it is, as lines to compare: with the sample's rules, the parent's and the branch's are equal.
SELECT 'sequence', schemaname, sequencename, last_value FROM pg_sequences ORDER BY 2, 3;
SELECT 'index', indexrelid::regclass, indrelid::regclass, indisclustered, indisreplident FROM pg_index WHERE indrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast' ORDER BY indexrelid::regclass::text;
SELECT 'column', attrelid::regclass, attname, attnum, atttypid::regtype, atttypmod, attstorage, attcompression, attstattarget, attacl, attidentity,
    -- Without the stamp that newer servers put on a column whenever it is altered.
    (SELECT array_agg(o ORDER BY o) FROM unnest(attoptions) AS o WHERE o !~ '^pg_attver=')
  FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0 AND NOT attisdropped AND attrelid::regclass::text !~ '^pg_toast' ORDER BY attrelid::regclass::text, attnum;
-- Joins over masked keys.
SELECT 'customers with so many orders', n, count(*) FROM (SELECT count(o.order_no) AS n FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id) d GROUP BY n ORDER BY n;
SELECT 'orders with so many items', n, count(*) FROM (SELECT count(*) AS n FROM orders JOIN order_items USING (customer_id, order_no) GROUP BY customer_id, order_no) d GROUP BY n ORDER BY n;
SELECT 'logins of customers', count(*) FROM crm.logins JOIN customers ON login = email;
SELECT 'newsletter to customers', count(*) FROM crm.newsletter n JOIN customers c ON n.email = c.email;
SELECT 'calls of customers', count(*) FROM crm.events e JOIN customers c ON c.id = e.customer_id;
SELECT 'notes of staff', count(*) FROM crm.support_notes JOIN hr.employees ON agent = email;
SELECT 'heads', count(*) FROM hr.departments d JOIN hr.employees e ON e.staff_no = head_no;
WITH RECURSIVE r AS (SELECT staff_no, 0 AS depth FROM hr.employees WHERE manager_no IS NULL UNION ALL
    SELECT e.staff_no, depth + 1 FROM hr.employees e JOIN r ON e.manager_no = r.staff_no)
  SELECT 'depth of the staff', depth, count(*) FROM r GROUP BY depth ORDER BY depth;
-- What permutations and shuffles keep.
SELECT 'distinct', count(DISTINCT id), count(DISTINCT public_id), count(DISTINCT email), count(DISTINCT phone), count(DISTINCT national_id) FROM customers;
SELECT 'distinct', count(DISTINCT iban), count(DISTINCT card_number) FROM payments;
SELECT 'distinct', count(DISTINCT staff_no), count(DISTINCT badge), count(DISTINCT email) FROM hr.employees;
SELECT 'distinct', count(DISTINCT zip) FROM addresses;
SELECT 'shuffled', sum(credit_limit), min(credit_limit), max(credit_limit), count(DISTINCT credit_limit) FROM customers;
-- Documents: the paths that no rule names.
SELECT 'note', id, body->'ticket', body->'subject', jsonb_array_length(body->'conversation'), jsonb_path_query_array(body, '$.contacts[*].kind'), transcript IS NULL
  FROM crm.support_notes ORDER BY id;
