-- Some years of use: statistics with values in them, dead rows, a dropped column, a column that came later.
ANALYZE;
UPDATE public.customers SET phone = made.phone(id + 80000000) WHERE id % 50 = 1 AND phone IS NOT NULL;
UPDATE public.customers SET email = made.email(id + 80000000) WHERE id % 100 = 2 AND NOT EXISTS (SELECT FROM crm.logins WHERE login = email);
UPDATE hr.employees SET badge = 'BDG ' || made.tag(id + 80000000, 60) WHERE id % 7 = 1;
DELETE FROM crm.newsletter WHERE id % 30 = 3;
DELETE FROM public.addresses WHERE id % 40 = 4 AND kind <> 'home';
ALTER TABLE public.customers DROP COLUMN password_hint;
ALTER TABLE public.customers ADD COLUMN loyalty text NOT NULL DEFAULT 'bronze';
INSERT INTO public.customers (id, public_id, email, first_name, last_name, national_id, loyalty, created_at)
  SELECT i, md5('customer ' || i || :seed)::uuid, made.email(i), made.first_name(i), made.last_name(i, true),
    made.national_id(i), 'gold', made.moment(i, 27)
  FROM generate_series(:customers + 1, :customers + 10) AS i;
DROP SCHEMA made CASCADE;
ANALYZE;
