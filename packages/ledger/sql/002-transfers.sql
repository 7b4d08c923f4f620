-- The history: what happened, in one order without gaps. Rows are added, never changed; a row is a leaf of the public log.

-- One row: the lock that orders writers and the fence between them. Posting locks it and never changes it: a row that
-- each batch changed would leave a dead version each time, and a long dump or audit would make every batch read them all.
create table fence (
  one boolean primary key default true constraint one_row check (one),
  epoch int not null -- who writes: a writer that starts takes the next one, and older writers are refused
);

insert into fence values (true, 0);

create table transfer (
  seq bigint primary key,            -- the last one plus one, not from a sequence: a sequence leaves gaps, a tree index must not
  id uuid not null unique,           -- chosen by the caller; version 7 keeps the index compact
  kind smallint not null,            -- 0 transfer, 1 hold, 2 post, 3 void, 4 expire
  code smallint not null,            -- the caller's reason
  at timestamptz not null,           -- the batch's time, never before the last one's, whatever the clock does
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,            -- what moved; of a hold what is reserved, of a void or expiry what was released
  ref bigint,                        -- the hold that this row resolves
  expires bigint,                    -- of a hold: unix seconds
  debit_balance bigint not null,     -- both accounts after this row
  debit_held bigint not null,
  credit_balance bigint not null,
  debit_version bigint not null,     -- 1, 2, 3 … per account, over both sides
  credit_version bigint not null,
  salt bytea not null,               -- without it an entry's hash could be guessed
  leaf bytea not null,

  constraint known_kind check (kind between 0 and 4),
  constraint two_accounts check (credit <> debit),
  constraint moves_something check (amount > 0),
  constraint resolves_an_earlier_hold check ((ref is not null) = (kind >= 2) and ref < seq),
  constraint only_holds_expire check (expires is null or kind = 1),
  constraint salt_of_16_bytes check (length(salt) = 16),
  constraint leaf_of_32_bytes check (length(leaf) = 32)
);

create unique index transfer_ref on transfer (ref) where ref is not null; -- A hold resolves at most once, whatever the code does.
create index transfer_debit on transfer (debit, seq);
create index transfer_credit on transfer (credit, seq);

create table hold ( -- Open holds only: what `transfer` says, kept at hand.
  seq bigint primary key,
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,
  code smallint not null,
  expires bigint
);

create index hold_debit on hold (debit);
create index hold_expires on hold (expires) where expires is not null;

create table record ( -- The log's other leaves: releases, states, price books, payout tables. The document itself is the caller's to keep and show.
  seq bigint primary key, -- of the same sequence as transfers, so there is no gap over both tables
  topic smallint not null,
  at timestamptz not null,
  hash bytea not null constraint hash_of_32_bytes check (length(hash) = 32),
  leaf bytea not null constraint leaf_of_32_bytes check (length(leaf) = 32),

  constraint recorded_once unique (hash, topic)
);

create table batch ( -- What was committed together. Replaying the chain over them shows that nothing was changed since.
  last_seq bigint primary key,
  n int not null,
  at timestamptz not null,
  chain bytea not null -- sha256(previous chain || the batch's leaves)
);

insert into batch values (0, 0, to_timestamp(0), decode(repeat('00', 32), 'hex')); -- What the first batch follows.
create index batch_at on batch (at, last_seq); -- "The last row before a time" is then one probe.

create view head as -- Where the ledger is.
select last_seq as seq, chain, at from batch order by last_seq desc limit 1;

create function refuse() returns trigger language plpgsql as $$
begin
  raise exception 'table % is append-only', tg_table_name;
end $$;

create trigger append_only before update or delete or truncate on transfer for each statement execute function refuse();
create trigger append_only before update or delete or truncate on record for each statement execute function refuse();
create trigger append_only before update or delete or truncate on batch for each statement execute function refuse();
create trigger append_only before delete or truncate on fence for each statement execute function refuse();
create trigger append_only before delete or truncate on account for each statement execute function refuse();

-- A writer starts here. Batches of whoever wrote before are refused from now on.
create function take_epoch() returns int
language sql security definer set search_path = ledger, pg_temp as $$
  update fence set epoch = fence.epoch + 1 returning fence.epoch
$$;
