-- Who may do what: the owner holds the tables, the writer may call functions, the reader may look.
-- Roles belong to the whole cluster and no dump holds them, so this file runs before each migration
-- and may run in several databases at once: whoever comes second finds the role and goes on.

do $$
declare
  role text;
begin
  foreach role in array array['ledger_owner', 'ledger_writer', 'ledger_reader'] loop
    begin
      if not exists (select from pg_roles where rolname = role) then
        execute format('create role %I nologin', role);
      end if;
    exception when duplicate_object or unique_violation then
      null; -- Another database's migration made it meanwhile.
    end;
    -- The caller becomes these roles by `set role`. A superuser may without asking.
    if not pg_has_role(current_user, role, 'member') then
      execute format('grant %I to current_user', role);
    end if;
  end loop;
end $$;

do $$
begin
  if not exists (select from pg_namespace where nspname = 'ledger') then
    create schema ledger authorization ledger_owner;
  end if;
end $$;

set local role ledger_owner;
set local search_path = ledger, pg_temp;

create table if not exists migration (
  id text primary key,
  at timestamptz not null default clock_timestamp()
);
