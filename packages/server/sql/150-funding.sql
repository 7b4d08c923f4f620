-- Who paid what for which app; kept for ever. The row comes first, with the parts it will be split into; then the ledger's chain,
-- under ids derived from the row's own; then `posted_at`.
create table contribution (
  id        uuid primary key,  -- chosen by the payer: the same id again is the same payment
  app       uuid not null references app,
  amount    bigint not null constraint amount_is_money check (amount > 0),
  name      text,              -- as the payer wishes to be called in public; null: not at all
  caller    text,              -- did:key of who signed
  rail      text not null,
  commons   bigint not null,
  reserve   bigint not null,
  purse     bigint not null,
  at        timestamptz not null,
  posted_at timestamptz,
  seq       bigint,            -- of its first transfer
  constraint parts_sum_to_amount check (commons + reserve + purse = amount)
);
create index contribution_app on contribution (app, at);
create index contribution_at on contribution (at);
create index contribution_unposted on contribution (at) where posted_at is null;

-- How far the ledger's rows have been followed.
create table follower (
  name text primary key,
  seq  bigint not null
);

-- What an app's purse had after the last row of each day (UTC), and what came in.
create table purse_day (
  app     uuid not null references app,
  day     date not null,
  at      timestamptz not null,
  balance bigint not null,
  income  bigint not null,
  primary key (app, day)
);

-- The purse after each payment: a step in its history.
create table purse_payment (
  app     uuid not null references app,
  seq     bigint not null,
  at      timestamptz not null,
  amount  bigint not null,
  balance bigint not null,
  primary key (app, seq)
);

-- Each app's money in figures, as of `at`, so that a page of many apps is one query.
create table app_money (
  app          uuid primary key references app,
  at           timestamptz not null,
  purse        bigint not null,
  reserve      bigint not null,
  earliest     timestamptz,  -- the dates between which the money ends; null: never
  latest       timestamptz,
  estimate     boolean not null,
  cost_per_day bigint,       -- mean of the last 30 days; null: nothing was charged yet
  dear_cost    bigint not null,  -- what `dear_days` cost at the dearest known rate: what a payment buys is counted by it
  dear_days    int not null
);
create index app_money_earliest on app_money (earliest);
