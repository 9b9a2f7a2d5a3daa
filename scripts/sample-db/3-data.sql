-- The rows, table by table, before the keys and indexes.
INSERT INTO public.customers (id, public_id, email, first_name, last_name, phone, birth_date, national_id, password_hint, credit_limit, is_staff, last_ip, remark, created_at)
  SELECT i, md5('customer ' || i || :seed)::uuid, made.email(i), made.first_name(i), made.last_name(i, true),
    CASE WHEN made.dice(i, 20) % 100 >= 12 THEN made.phone(i) END,
    CASE WHEN made.dice(i, 21) % 100 >= 5 THEN date '1940-01-01' + (made.dice(i, 22) % 24000)::integer END,
    made.national_id(i),
    'maiden name ' || made.last_name(i + 55000000, false) || made.tag(i, 2),
    (made.dice(i, 23) % 50) * 100, i % 500 = 0,
    CASE WHEN made.dice(i, 24) % 3 > 0 THEN inet '10.0.0.0' + made.dice(i, 25) % 16000000 END,
    CASE WHEN made.dice(i, 26) % 20 = 0 THEN 'prefers ' || made.first_name(i + 1) || ' ' || made.last_name(i + 1, true) || ' at ' || made.street(i + 1) END,
    made.moment(i, 27)
  FROM generate_series(1, :customers) AS i;

INSERT INTO public.addresses (customer_id, kind, street, house_number, zip, city)
  SELECT i, k.kind, made.street(i * 2 + k.n), CASE WHEN made.dice(i * 2 + k.n, 30) % 40 > 0 THEN 1 + made.dice(i * 2 + k.n, 31) % 180 END,
    lpad((10000 + town * 97 % 89999)::text, 5, '0'), made.city(town)
  FROM generate_series(1, :customers) AS i,
    LATERAL (VALUES (0, 'home'::public.address_kind), (1, CASE WHEN i % 7 = 0 THEN 'billing'::public.address_kind ELSE 'delivery' END)) AS k (n, kind),
    LATERAL made.town(i * 2 + k.n) AS town
  WHERE k.n = 0 OR made.dice(i, 32) % 5 = 0;

-- Every fiftieth orders much, most order little or nothing.
INSERT INTO public.orders (customer_id, order_no, state, contact_name, total, created_at)
  SELECT i, n, (enum_range(NULL::public.order_state))[1 + made.dice(i * 64 + n, 40) % 4],
    CASE WHEN made.dice(i * 64 + n, 41) % 4 = 0 THEN made.first_name(i) || ' ' || made.last_name(i, true) END,
    10 + (made.dice(i * 64 + n, 42) % 90000) / 100.0, made.moment(i * 64 + n, 43)
  FROM generate_series(1, :customers) AS i, LATERAL generate_series(1, CASE WHEN i % 50 = 0 THEN 8 ELSE made.dice(i, 44) % 3 END) AS n;

INSERT INTO public.order_items
  SELECT o.customer_id, o.order_no, l, 'ART-' || made.dice(o.customer_id * 64 + o.order_no * 8 + l, 50) % 4000,
    CASE WHEN made.dice(o.customer_id * 64 + o.order_no * 8 + l, 51) % 15 = 0 THEN 'For ' || made.first_name(o.customer_id + 9) || ' ' || made.last_name(o.customer_id + 9, true) END,
    1 + made.dice(o.customer_id * 64 + o.order_no * 8 + l, 52) % 4, 1 + (made.dice(o.customer_id * 64 + o.order_no * 8 + l, 53) % 20000) / 100.0
  FROM public.orders o, LATERAL generate_series(1, 1 + made.dice(o.customer_id * 64 + o.order_no, 54) % 3) AS l;

INSERT INTO public.payments (paid_on, customer_id, order_no, iban, card_number, holder, amount)
  SELECT (o.created_at AT TIME ZONE 'UTC')::date, o.customer_id, o.order_no,
    CASE WHEN o.customer_id % 3 = 0 THEN made.iban(o.customer_id) END, CASE WHEN o.customer_id % 3 > 0 THEN made.card(o.customer_id) END,
    upper(made.first_name(o.customer_id) || ' ' || made.last_name(o.customer_id, false)), o.total
  FROM public.orders o WHERE o.state <> 'new';

INSERT INTO hr.departments (name)
  SELECT name FROM unnest(ARRAY['Purchasing', 'Warehouse', 'Support', 'Accounts', 'Engineering', 'Marketing']) AS name;
-- Number one leads; everybody else reports to somebody with a lower number.
INSERT INTO hr.employees (staff_no, manager_no, department_id, first_name, last_name, email, badge, salary, desk, at_desk)
  SELECT staff.no, CASE WHEN i > 1 THEN chr((65 + boss % 26)::integer) || 'K-' || made.digits(boss, 8, 6) END, 1 + i % 6,
    made.first_name(i + 60000000), made.last_name(i + 60000000, true), made.email(i + 60000000),
    CASE WHEN i % 9 > 0 THEN 'BDG ' || made.tag(i, 60) END, 24000 + made.dice(i, 61) % 90000 + (made.dice(i, 63) % 100) / 100.0,
    int4range(i::integer * 2, i::integer * 2 + 1), tstzrange(timestamptz '2026-01-01 00:00+00', NULL)
  FROM generate_series(1, greatest(60, :customers / 1000)) AS i, LATERAL (SELECT 1 + made.dice(i, 62) % greatest(i - 1, 1) AS boss) AS b,
    LATERAL (SELECT chr((65 + i % 26)::integer) || 'K-' || made.digits(i, 8, 6) AS no) AS staff;
UPDATE hr.departments d SET head_no = (SELECT min(staff_no) FROM hr.employees e WHERE e.department_id = d.id);

INSERT INTO crm.logins
  SELECT email, 'scrypt$' || encode(sha256(convert_to(email || :seed, 'UTF8')), 'base64'), last_ip, created_at + interval '40 days'
  FROM public.customers WHERE made.dice(id, 70) % 10 < 6;
INSERT INTO crm.newsletter (email, topics, subscribed_at)
  SELECT CASE WHEN i % 4 = 0 THEN made.email(i + 70000000) ELSE made.email(i) END,
    (ARRAY['offers', 'events', 'recalls', 'garden'])[1 + i % 3 : 2 + i % 3], made.moment(i, 71)
  FROM generate_series(1, :customers, 3) AS i;

INSERT INTO crm.support_notes (customer_id, agent, body, transcript, transcript_old, created_at)
  SELECT i, made.email(60000001 + i % 60),
    jsonb_build_object('ticket', made.dice(i, 80) % 1000000, 'subject', made.pick(ARRAY['parcel missing', 'refund', 'wrong article', 'address change'], i),
      'author', jsonb_build_object('name', made.first_name(i) || ' ' || made.last_name(i, true), 'email', made.email(i)),
      'contacts', jsonb_build_array(jsonb_build_object('kind', 'phone', 'value', made.phone(i)), jsonb_build_object('kind', 'email', 'value', made.email(i + 1))),
      'conversation', (SELECT jsonb_agg(jsonb_build_object('from', made.email(i), 'text', made.sentence(i, n))) FROM generate_series(1, 1 + made.dice(i, 81) % 6) AS n)),
    CASE WHEN made.dice(i, 82) % 4 > 0 THEN (SELECT string_agg(made.sentence(i, n), E'\n') FROM generate_series(1, 20 + made.dice(i, 83) % 30) AS n) END,
    CASE WHEN made.dice(i, 84) % 4 = 0 THEN (SELECT string_agg(made.sentence(i, n), E'\n') FROM generate_series(1, 40) AS n) END,
    made.moment(i, 85)
  FROM generate_series(1, :customers, 10) AS i;

INSERT INTO crm.events (customer_id, contact, happened_at)
  SELECT i, made.email(i), made.moment(i, 90) FROM generate_series(1, :customers, 20) AS i;
INSERT INTO crm.call_events (customer_id, contact, happened_at, caller_phone, seconds)
  SELECT i, made.first_name(i) || ' ' || made.last_name(i, true), made.moment(i, 91), made.phone(i), made.dice(i, 92) % 1800
  FROM generate_series(2, :customers, 20) AS i;
INSERT INTO crm.import_buffer
  SELECT i, concat_ws(';', made.last_name(i, true), made.first_name(i), made.email(i), made.phone(i)) FROM generate_series(1, :customers, 50) AS i;
SELECT setval(pg_get_serial_sequence('public.customers', 'id'), :customers + 17) \g /dev/null
