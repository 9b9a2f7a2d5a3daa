-- Keys, indexes, everything that depends on columns. After the data, as a restored dump would do it.
ALTER TABLE public.customers ADD PRIMARY KEY (id), ADD CONSTRAINT customers_email_key UNIQUE (email), ADD UNIQUE (national_id), ADD UNIQUE (public_id);
ALTER TABLE public.customers REPLICA IDENTITY USING INDEX customers_public_id_key, ALTER last_name SET STATISTICS 150;
ALTER TABLE public.addresses ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer_id) REFERENCES public.customers ON DELETE CASCADE;
ALTER TABLE public.addresses ALTER city SET (n_distinct = -0.05), CLUSTER ON addresses_pkey;
ALTER TABLE public.orders ADD PRIMARY KEY (customer_id, order_no), ADD UNIQUE (invoice_no), ADD FOREIGN KEY (customer_id) REFERENCES public.customers;
ALTER TABLE public.order_items ADD PRIMARY KEY (customer_id, order_no, line_no),
  ADD FOREIGN KEY (customer_id, order_no) REFERENCES public.orders ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE public.payments ADD PRIMARY KEY (id, paid_on), ADD FOREIGN KEY (customer_id, order_no) REFERENCES public.orders;
ALTER TABLE hr.departments ADD PRIMARY KEY (id);
ALTER TABLE hr.employees ADD PRIMARY KEY (id), ADD UNIQUE (staff_no), ADD UNIQUE (email),
  ADD FOREIGN KEY (manager_no) REFERENCES hr.employees (staff_no), ADD FOREIGN KEY (department_id) REFERENCES hr.departments,
  ADD CONSTRAINT one_owner_per_badge EXCLUDE USING hash (badge WITH =),
  ADD CONSTRAINT one_person_per_desk EXCLUDE USING gist (desk WITH &&, at_desk WITH &&);
ALTER TABLE hr.departments ADD FOREIGN KEY (head_no) REFERENCES hr.employees (staff_no) DEFERRABLE INITIALLY DEFERRED;
-- A foreign key on a natural key: masks of both sides must be the same.
ALTER TABLE crm.logins ADD PRIMARY KEY (login), ADD FOREIGN KEY (login) REFERENCES public.customers (email) ON UPDATE CASCADE;
ALTER TABLE crm.newsletter ADD PRIMARY KEY (id);
ALTER TABLE crm.support_notes ADD PRIMARY KEY (id), ADD FOREIGN KEY (customer_id) REFERENCES public.customers;
ALTER TABLE crm.events ADD PRIMARY KEY (id);
ALTER TABLE audit.changes ADD PRIMARY KEY (id);

CREATE INDEX customers_lower_email ON public.customers (lower(email));
CREATE INDEX customers_phone ON public.customers (phone) WHERE phone IS NOT NULL;
CREATE INDEX customers_name ON public.customers (last_name, first_name) INCLUDE (phone);
CREATE INDEX customers_birth ON public.customers USING brin (birth_date);
CREATE UNIQUE INDEX addresses_one_home ON public.addresses (customer_id) WHERE kind = 'home';
CREATE INDEX addresses_zip ON public.addresses (zip) INCLUDE (city);
CREATE INDEX orders_created ON public.orders USING brin (created_at);
CREATE INDEX payments_customer ON public.payments (customer_id, order_no);
CREATE INDEX payments_iban ON public.payments USING hash (iban);
CREATE INDEX newsletter_email ON crm.newsletter (email);
CREATE INDEX newsletter_topics ON crm.newsletter USING gin (topics);
CREATE INDEX support_notes_body ON crm.support_notes USING gin (body jsonb_path_ops);
CREATE INDEX support_notes_words ON crm.support_notes USING gin (to_tsvector('simple', left(transcript, 400)));
CREATE STATISTICS public.addresses_town (ndistinct, dependencies, mcv) ON zip, city FROM public.addresses;
CREATE STATISTICS public.customers_names ON lower(last_name), first_name FROM public.customers;

-- What makes ALTER COLUMN … TYPE impossible: a view, a policy, a trigger's WHEN; and customers' generated column.
CREATE VIEW crm.customer_overview AS
  SELECT c.id, c.full_name, c.email, c.phone, count(o.order_no) AS orders, max(o.created_at) AS last_order
  FROM public.customers c LEFT JOIN public.orders o ON o.customer_id = c.id GROUP BY c.id;
COMMENT ON VIEW crm.customer_overview IS 'What the support sees first';
CREATE MATERIALIZED VIEW crm.city_names AS
  SELECT a.city, count(*) AS customers, (array_agg(c.full_name ORDER BY c.id))[1:5] AS some_names, max(c.email::text) AS last_email
  FROM public.addresses a JOIN public.customers c ON c.id = a.customer_id WHERE a.kind = 'home' GROUP BY a.city;
CREATE UNIQUE INDEX city_names_city ON crm.city_names (city);
ALTER TABLE crm.support_notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON crm.support_notes USING (agent = current_setting('crm.agent', true));
CREATE TRIGGER remember_badges AFTER UPDATE ON hr.employees FOR EACH ROW
  WHEN (OLD.badge IS DISTINCT FROM NEW.badge) EXECUTE FUNCTION audit.remember();
CREATE TRIGGER remember AFTER UPDATE OR DELETE ON public.customers FOR EACH ROW EXECUTE FUNCTION audit.remember();

-- Roles belong to the cluster: another database may have made them.
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['shop_app', 'shop_report']) AS name
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
GRANT USAGE ON SCHEMA crm, hr TO shop_app, shop_report;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, crm TO shop_app;
GRANT SELECT (id, created_at, credit_limit) ON public.customers TO shop_report;
GRANT SELECT ON crm.city_names TO shop_report;
