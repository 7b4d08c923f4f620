-- The peer: a ledger in PostgreSQL as pgledger documents it (github.com/pgr0ss/pgledger), restated by us.
--
--   A transfer locks its accounts in the order of their ids, so that two transfers cannot wait on each other;
--   changes both balances on the account rows; checks the limits; writes one transfer and two entries, each with the
--   balance before and after. Each call is a transaction; several transfers may come in one call.
--
-- Where we had a choice we took the faster one: numbers instead of prefixed text ids, bigint instead of numeric.
create schema peer;

create table peer.account (
  id bigint primary key,
  name text not null,
  currency text not null,
  balance bigint not null default 0,
  version bigint not null default 0,
  allow_negative boolean not null,
  allow_positive boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table peer.transfer (
  id bigint generated always as identity primary key,
  from_account bigint not null references peer.account,
  to_account bigint not null references peer.account,
  amount bigint not null,
  created_at timestamptz not null,
  event_at timestamptz not null,
  metadata jsonb,

  check (amount > 0 and from_account <> to_account)
);

create index on peer.transfer (from_account);
create index on peer.transfer (to_account);
create index on peer.transfer (event_at);

create table peer.entry (
  id bigint generated always as identity primary key,
  account bigint not null references peer.account,
  transfer bigint not null references peer.transfer,
  amount bigint not null,
  balance_before bigint not null,
  balance_after bigint not null,
  account_version bigint not null,
  created_at timestamptz not null
);

create index on peer.entry (account);
create index on peer.entry (transfer);

create function peer.move(id bigint, change bigint) returns peer.account
language plpgsql as $$
declare
  moved peer.account;
begin
  update peer.account as a
  set balance = a.balance + change, version = a.version + 1, updated_at = now()
  where a.id = move.id
  returning a.* into moved;

  if moved.balance < 0 and not moved.allow_negative then
    raise exception 'account % allows no negative balance', id;
  end if;
  if moved.balance > 0 and not moved.allow_positive then
    raise exception 'account % allows no positive balance', id;
  end if;
  return moved;
end $$;

create function peer.pay(payer bigint, payee bigint, amount bigint) returns bigint
language plpgsql as $$
declare
  giving peer.account;
  taking peer.account;
  new_id bigint;
begin
  perform from peer.account as a where a.id = least(payer, payee) for update;
  perform from peer.account as a where a.id = greatest(payer, payee) for update;

  giving := peer.move(payer, -amount);
  taking := peer.move(payee, amount);
  if giving.currency <> taking.currency then
    raise exception 'transfer from % to %', giving.currency, taking.currency;
  end if;

  insert into peer.transfer (from_account, to_account, amount, created_at, event_at)
  values (payer, payee, amount, now(), now())
  returning id into new_id;

  insert into peer.entry (account, transfer, amount, balance_before, balance_after, account_version, created_at)
  values
    (payer, new_id, -amount, giving.balance + amount, giving.balance, giving.version, now()),
    (payee, new_id, amount, taking.balance - amount, taking.balance, taking.version, now());
  return new_id;
end $$;

insert into peer.account (id, name, currency, allow_negative, allow_positive)
select n, 'account ' || n, 'TEST', true, true from generate_series(1, 10000) as n;
