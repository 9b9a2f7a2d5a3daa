-- What of the sample must not be found in a masked branch: the originals of every masked column, as text, into the table
-- originals; and kept: what the branch may show as production has it. Run in an unmasked branch of its own.
CREATE TABLE public.originals (what text, v text);
INSERT INTO originals
  SELECT 'email', email FROM customers UNION SELECT 'public_id', public_id::text FROM customers UNION SELECT 'phone', phone FROM customers
  UNION SELECT 'first_name', first_name FROM customers UNION SELECT 'last_name', last_name FROM customers UNION SELECT 'full_name', full_name FROM customers
  UNION SELECT 'national_id', national_id FROM customers UNION SELECT 'last_ip', host(last_ip) FROM customers UNION SELECT 'remark', remark FROM customers
  UNION SELECT 'street', street FROM addresses UNION SELECT 'city', city FROM addresses
  UNION SELECT 'contact_name', contact_name FROM orders UNION SELECT 'engraving', engraving FROM order_items
  UNION SELECT 'iban', iban FROM payments UNION SELECT 'card', card_number FROM payments UNION SELECT 'holder', holder FROM payments
  UNION SELECT 'staff', unnest(ARRAY[email, badge, first_name || ' ' || last_name, first_name, last_name]) FROM hr.employees
  UNION SELECT 'password', password_hash FROM crm.logins UNION SELECT 'newsletter', email FROM crm.newsletter
  UNION SELECT 'note', jsonb_path_query(body, '$.author.*') #>> '{}' FROM crm.support_notes
  UNION SELECT 'note', jsonb_path_query(body, '$.contacts[*].value') #>> '{}' FROM crm.support_notes
  UNION SELECT 'note', jsonb_path_query(body, '$.conversation[*].*') #>> '{}' FROM crm.support_notes
  UNION SELECT 'transcript', regexp_split_to_table(transcript, '\n') FROM crm.support_notes
  UNION SELECT 'transcript', regexp_split_to_table(transcript_old, '\n') FROM crm.support_notes
  -- Single values inside of sentences.
  UNION SELECT 'mentioned', (regexp_matches(transcript || transcript_old, '\+49 [0-9 ]{13}|DE[0-9]{20}|[a-z]+\.[a-z]+_[0-9a-f]{8}@[a-z-]+\.example', 'g'))[1] FROM crm.support_notes
  UNION SELECT 'event', contact FROM crm.events UNION SELECT 'caller', caller_phone FROM crm.call_events
  UNION SELECT 'import', unnest(string_to_array(line, ';')) FROM crm.import_buffer UNION SELECT 'import', line FROM crm.import_buffer
  UNION SELECT 'audit', value FROM audit.changes, jsonb_each_text(old_row) WHERE key IN ('email', 'phone', 'full_name', 'national_id', 'public_id', 'password_hint', 'badge')
  UNION SELECT 'dropped column', 'maiden name ';
-- Too short to be told from chance: fewer than 12 bytes, or 9 when digits are among them.
DELETE FROM originals WHERE v IS NULL OR octet_length(v) < CASE WHEN v ~ '[0-9]' THEN 9 ELSE 12 END;

CREATE TABLE public.kept AS
  SELECT concat_ws(' ', created_at, is_staff, loyalty) AS v FROM customers
  UNION ALL SELECT concat_ws(' ', kind, country, house_number) FROM addresses
  UNION ALL SELECT concat_ws(' ', order_no, state, invoice_no, total, created_at) FROM orders
  UNION ALL SELECT concat_ws(' ', line_no, article, quantity, price) FROM order_items
  UNION ALL SELECT concat_ws(' ', id, paid_on) FROM payments
  UNION ALL SELECT name FROM hr.departments
  UNION ALL SELECT concat_ws(' ', id, department_id, desk, at_desk) FROM hr.employees
  UNION ALL SELECT concat_ws(' ', last_seen_at) FROM crm.logins
  UNION ALL SELECT concat_ws(' ', topics, subscribed_at) FROM crm.newsletter
  UNION ALL SELECT concat_ws(' ', created_at, body->>'ticket', body->>'subject', jsonb_path_query_array(body, '$.contacts[*].kind')) FROM crm.support_notes;
