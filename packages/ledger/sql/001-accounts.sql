-- Accounts. A balance is credits minus debits, in micros of the account's asset.

create table account (
  id bigint generated always as identity primary key,
  name text not null unique constraint name_is_short check (length(name) between 1 and 500),
  asset smallint not null,                -- a transfer stays within one asset
  public boolean not null default false,  -- whether the log shows this account's number or only "a member"
  floor bigint,                           -- null = no limit, 0 = no overdraft, -n = a credit line of n
  balance bigint not null default 0,
  held bigint not null default 0,         -- the sum of its open holds
  version bigint not null default 0,      -- how many rows touched it

  constraint floor_below_zero check (floor between -9000000000000000 and 0),
  constraint held_not_negative check (held >= 0),
  -- The last line of defence: `post` never comes here, whatever its loop gets wrong fails here.
  constraint above_floor check (floor is null or balance - held >= floor)
) with (fillfactor = 50); -- Room for heap-only updates: a new balance costs no index entry.

comment on table account is 'Who has how much. Changed by post() alone.';

-- Opens an account, or finds it if one of that name has the same terms.
create function open_account(name text, asset smallint, public boolean, floor bigint) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
#variable_conflict use_column
declare
  found_account account;
begin
  insert into account (name, asset, public, floor)
  select open_account.name, open_account.asset, open_account.public, open_account.floor
  where not exists (select from account where account.name = open_account.name) -- Else each call would use up a number.
  on conflict do nothing;

  select account.* into strict found_account from account where account.name = open_account.name;

  if (found_account.asset, found_account.public, found_account.floor)
    is distinct from (open_account.asset, open_account.public, open_account.floor)
  then
    raise exception 'account % exists with other terms: asset %, public %, floor %',
      name, found_account.asset, found_account.public, found_account.floor
      using errcode = 'LG002';
  end if;
  return found_account.id;
end $$;
