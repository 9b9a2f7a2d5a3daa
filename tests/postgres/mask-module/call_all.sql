-- Calls every function of the schema once and says how many gave a value of their type.
create type pg_temp.mood as enum ('sad', 'fine', 'glad');
create function pg_temp.sample(type text, name text, place integer, locale boolean) returns text language plpgsql as $$
begin
  if locale then return quote_literal('fr_FR'); end if;
  if name = 'set_key' then return 'decode(repeat(''deadbeefcafef00d'', 4), ''hex'')'; end if;
  if name = 'digest' and place = 3 then return quote_literal('sha256'); end if;
  if name = 'permute' and place >= 2 and type = 'text' then return quote_literal(''); end if;
  if name like 'generalize%' and type = 'text' then return quote_literal('month'); end if;
  if name = 'dnoise' and place = 1 then return 'timestamp ''2021-03-04 05:06:07'''; end if;
  if name = 'random_in_enum' then return 'null::pg_temp.mood'; end if;
  return case type
    when 'smallint' then (array[5, 1, 9])[place] || '::smallint'
    when 'integer' then (case when name = 'permute' then array[5, 1, 9, 9] else array[3, 20, 30, 2] end)[place]::text
    when 'bigint' then (case when name = 'permute' then array[5, 1, 9, 9] else array[3, 20, 30, 2] end)[place]::text || '::bigint'
    when 'real' then place || '::real'
    when 'double precision' then place || '::float8'
    when 'numeric' then '12345::numeric'
    when 'boolean' then 'false'
    when 'text' then quote_literal('someone@company.test')
    when 'bytea' then '''\xdeadbeef''::bytea'
    when 'uuid' then '''3b241101-e2bb-4255-8caf-4136c566a962''::uuid'
    when 'date' then (array['''2020-05-05''', '''2020-01-01''', '''2020-12-31'''])[place] || '::date'
    when 'interval' then '''3 days''::interval'
    when 'timestamp without time zone' then (array['''2020-05-05''', '''2021-01-01'''])[place] || '::timestamp'
    when 'timestamp with time zone' then (array['''2020-05-05''', '''2021-01-01'''])[place] || '::timestamptz'
    when 'int4range' then '''[3,9)''::int4range'
    when 'int8range' then '''[3,9)''::int8range'
    when 'numrange' then '''[3,9)''::numrange'
    when 'daterange' then '''[2020-01-01,2020-02-01)''::daterange'
    when 'tsrange' then '''[2020-01-01,2020-02-01)''::tsrange'
    when 'tstzrange' then '''[2020-01-01,2020-02-01)''::tstzrange'
    when 'anyarray' then 'array[''a'', ''b'', ''c'']'
    when '"any"' then '42'
    when 'anyelement' then '42'
    else '?' end;
end $$;

create function pg_temp.call_all() returns text language plpgsql as $$
declare
  f record;
  statement text;
  answer text;
  kind text;
  good integer := 0;
  many integer := 0;
begin
  -- shuffle_next needs what shuffle_collect kept: the names' own order, but for shuffle_clear.
  for f in select p.oid, proname::text as name, format_type(prorettype, null) as returns,
             (select array_agg(format_type(t, null) order by o) from unnest(proargtypes) with ordinality a(t, o)) as types,
             proargnames as names
           from pg_proc p where pronamespace = 'branchfs_mask'::regnamespace order by proname = 'shuffle_clear', proname loop
    many := many + 1;
    select string_agg(pg_temp.sample(f.types[i], f.name, i, f.names[i] = 'locale'), ', ' order by i) into statement
    from generate_series(1, coalesce(array_length(f.types, 1), 0)) i;
    statement := format('branchfs_mask.%I(%s)', f.name, coalesce(statement, ''));
    perform branchfs_mask.begin('seed'::text, false);
    begin
      execute format('select r::text, pg_typeof(r)::text from (select %s as r offset 0) s', statement) into answer, kind;
    exception when others then
      raise exception '%: %', statement, sqlerrm;
    end;
    if answer is null or (f.returns <> kind and f.returns <> 'anyelement') or (f.returns = 'text' and answer = '') then
      raise exception '% gave % of type %, not %', statement, answer, kind, f.returns;
    end if;
    good := good + 1;
  end loop;
  return good || ' of ' || many;
end $$;
select pg_temp.call_all();
