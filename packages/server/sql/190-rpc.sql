-- Every call that changed something, cost something or had an idempotency key: who asked for what, and what it came to.
create table call (
  id       uuid primary key,
  at       timestamptz not null,
  caller   text,               -- did:key; null: nobody said
  method   text not null,      -- service.name
  digest   bytea not null,     -- SHA-256 of the input as it came
  key      text,               -- Idempotency-Key
  boot     uuid not null,      -- of the process that took it: what another left pending was cut off by a kill
  price    bigint not null default 0 constraint call_price_is_no_gift check (price >= 0),
  status   text not null,      -- OC-Status, or 'pending'
  answer   jsonb               -- what is said again when the key comes again
);
create index call_at on call (at);
create unique index call_key on call (caller, key) where key is not null;
