-- Masked values by keys that are kept: no line may be both the parent's and the branch's.
SELECT id, 'card', card_number FROM payments WHERE card_number IS NOT NULL;
SELECT id, 'iban', iban FROM payments WHERE iban IS NOT NULL;
SELECT id, 'holder', holder FROM payments;
SELECT id, 'street', street FROM addresses;
SELECT id, 'city', city FROM addresses;
SELECT id, 'staff', staff_no, email, badge FROM hr.employees;
SELECT id, 'manager', manager_no FROM hr.employees WHERE manager_no IS NOT NULL;
SELECT id, 'name', first_name, last_name FROM hr.employees;
SELECT id, 'newsletter', email FROM crm.newsletter;
SELECT id, 'agent', agent FROM crm.support_notes;
SELECT id, 'author', body->'author'->'email' FROM crm.support_notes;
SELECT id, 'author', body->'author'->'name' FROM crm.support_notes;
SELECT id, 'contact', jsonb_path_query(body, '$.contacts[*].value') FROM crm.support_notes;
SELECT id, 'conversation', jsonb_path_query(body, '$.conversation[*].*') FROM crm.support_notes;
SELECT id, 'transcript', left(transcript, 40) FROM crm.support_notes WHERE transcript IS NOT NULL;
SELECT id, 'old transcript', left(transcript_old, 40) FROM crm.support_notes WHERE transcript_old IS NOT NULL;
SELECT id, 'event', contact FROM crm.events;
SELECT id, 'call', caller_phone FROM crm.call_events;
