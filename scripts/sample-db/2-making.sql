-- Helpers that make the data up, in a schema that is dropped at the end. Nothing here comes from a list of real people:
-- names are put together from syllables, so that two originals hardly ever meet and each can be recognised anywhere.
-- Needs the psql variables customers and seed.
CREATE SCHEMA made;

-- The only randomness there is: the same for the same seed, on every server.
CREATE FUNCTION made.dice(i bigint, what integer) RETURNS bigint IMMUTABLE PARALLEL SAFE
  RETURN hashint8extended(i, what + 1000 * :seed::bigint) & 9223372036854775807;
CREATE FUNCTION made.pick(words text[], n bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN words[1 + n % cardinality(words)];
-- Distinct for distinct i below 2^32: an odd factor is a permutation.
CREATE FUNCTION made.tag(i bigint, what integer) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN lpad(to_hex((i * 2654435761 + what * 40503 + :seed::bigint * 69069) & 4294967295), 8, '0');
-- Digits, distinct for distinct i below 10^width: so is every factor that ends in 9.
CREATE FUNCTION made.digits(i bigint, what integer, width integer) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN lpad(((i * (387420489 + what * 7654320) + what * 7919 + :seed::bigint * 104729) % (10 ^ width)::bigint)::text, width, '0');

CREATE FUNCTION made.first_name(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN initcap(
    made.pick(ARRAY['ba','bel','cor','da','del','el','fa','fen','ga','hel','il','ja','ka','kel','la','li','ma','mir','na','ner',
                    'o','or','pa','quin','ra','ro','sa','sel','ta','tor','u','va','vel','wi','xa','ya','yor','za','zel','thi'], made.dice(i, 1))
    || made.pick(ARRAY['bri','d','do','li','lo','ma','mi','na','ni','ra','ri','ro','sa','sti','ta','the','vi','xi','zu','nno'], made.dice(i, 2))
    || made.pick(ARRAY['an','ar','ck','da','el','en','eth','ia','iel','ik','in','is','la','na','on','or','ra','rin','s','th',
                       'us','va','vyn','yl','x'], made.dice(i, 3)));
CREATE FUNCTION made.last_name(i bigint, accents boolean) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN initcap(
    made.pick(ARRAY['acker','alder','bar','berg','blan','bor','bram','cas','cor','dal','drey','dun','eck','ester','fal','fenn',
                    'gar','gold','gra','hald','har','holm','ker','kla','kron','lam','lind','mar','mor','nor','oster','par','pell',
                    'quar','ran','ros','sal','schar','stor','tan','thal','ul','ver','vol','wal','wes','yar','zand'], made.dice(i, 4))
    || made.pick(ARRAY['','a','be','da','den','e','ga','ha','i','ka','ko','le','lo','me','na','o','ra','ri','so','u'], made.dice(i, 5))
    || made.pick(ARRAY['bert','cken','dossel','drax','feld','ghast','hoff','jik','kamp','lund','mott','nbrook','pwick','quist',
                       'rath','rrell','ssom','stad','tzke','vane','vitch','wold','xley','zak'], made.dice(i, 6)))
    || made.pick(CASE WHEN accents THEN ARRAY['','','','','és','ø','ü','ñez'] ELSE ARRAY['','','','','es','o','u','nez'] END, made.dice(i, 7));
CREATE FUNCTION made.email(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN lower(made.first_name(i)) || '.' || lower(made.last_name(i, false)) || '_' || made.tag(i, 1) || '@'
    || made.pick(ARRAY['corvel-mail','posthof','nordlys','brightpost','mailhaven','inkwell','zweigmail','tidewater'], made.dice(i, 8))
    || '.example';
CREATE FUNCTION made.phone(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN '+49 ' || (151 + made.dice(i, 9) % 28)::text || ' ' || made.digits(i, 2, 9);
CREATE FUNCTION made.national_id(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN regexp_replace(made.digits(i, 7, 9), '^(...)(..)', '\1-\2-');
CREATE FUNCTION made.street(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN made.last_name(i, true) || made.pick(ARRAY['straße','weg','gasse',' Lane',' Road',' Close'], made.dice(i, 10));
-- Few towns, so that values repeat as they do in production: zip and city depend on each other.
CREATE FUNCTION made.city(n bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN made.pick(ARRAY['Bad ','Neu','Alt','Ober','','','Unter','St. '], made.dice(n, 11)) || made.last_name(n + 77000000, true);
CREATE FUNCTION made.town(i bigint) RETURNS bigint IMMUTABLE PARALLEL SAFE
  RETURN floor(sqrt((made.dice(i, 12) % 250000)::double precision))::bigint;
CREATE FUNCTION made.iban(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN 'DE' || lpad((98 - mod((made.digits(i, 3, 9) || made.digits(i, 4, 9) || '131400')::numeric, 97))::text, 2, '0')
    || made.digits(i, 3, 9) || made.digits(i, 4, 9);
-- 15 digits and the one that makes the sum of public.card_sum() a multiple of ten.
CREATE FUNCTION made.card(i bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN '4' || made.digits(i, 5, 9) || made.digits(i, 6, 5)
    || ((10 - public.card_sum('4' || made.digits(i, 5, 9) || made.digits(i, 6, 5) || '0') % 10) % 10)::text;
CREATE FUNCTION made.moment(i bigint, what integer) RETURNS timestamptz IMMUTABLE PARALLEL SAFE
  RETURN timestamptz '2022-01-01 00:00+00' + make_interval(secs => made.dice(i, what) % 142000000);
-- A sentence of a support conversation about customer i.
CREATE FUNCTION made.sentence(i bigint, n bigint) RETURNS text IMMUTABLE PARALLEL SAFE
  RETURN CASE made.dice(i * 64 + n, 13) % 8
    WHEN 0 THEN 'Called ' || made.phone(i) || ', nobody answered, will try again in the afternoon.'
    WHEN 1 THEN 'Customer ' || made.first_name(i) || ' ' || made.last_name(i, true) || ' asks where the parcel is.'
    WHEN 2 THEN 'Sent the answer to ' || made.email(i) || ' and set the ticket to waiting.'
    WHEN 3 THEN 'The carrier says that it was left with a neighbour in ' || made.street(i) || '.'
    WHEN 4 THEN 'Refund goes to ' || made.iban(i) || ', two to three working days.'
    WHEN 5 THEN 'The customer was told that the refund takes two to three working days.'
    WHEN 6 THEN 'Waiting for the warehouse, the ticket stays open, the customer was told.'
    ELSE 'No change since the last entry of this ticket, the customer was told.'
  END;
