-- From readings to charges. What happened is stored first (`usage_interval`), in one transaction with the readings
-- it counted up to (`meter_mark`) and the remainders it carried; the ledger is told afterwards, under ids derived
-- from the row, as often as it takes. So a kill at any moment neither loses a nanosecond nor charges one twice.

-- What one payer owes for one app: the interval that is open now.
create table meter_stream (
  app             uuid not null references app,
  payer           text not null,           -- an account of the ledger
  number          bigint not null,         -- of the open interval, or of the one that comes next
  started_at      timestamptz,             -- null: none is open
  cpu             numeric(38, 0) not null, -- used so far in the open interval
  memory          numeric(38, 0) not null,
  disk            numeric(38, 0) not null,
  egress          numeric(38, 0) not null,
  requests        numeric(38, 0) not null,
  charged_hour    int not null,            -- hours since 1970; what its closed intervals of that hour cost,
  charged_in_hour bigint not null,         -- for the maximum burn
  used_day        text not null,           -- 2026-11-21; what its closed intervals of that day took,
  cpu_in_day      numeric(38, 0) not null, -- for the start allowance
  ended           text,                    -- why this payer pays no more, in a sentence
  primary key (app, payer)
);

-- The last reading of each sandbox that is in the books; the next one counts from here.
create table meter_mark (
  instance     text primary key,
  app          uuid not null references app,
  payer        text not null,
  attached_at  timestamptz not null,
  boot         text not null,   -- one life of the counters; empty: nothing was read yet
  at_ms        bigint not null,
  cpu_ns       bigint not null,
  egress_bytes bigint not null,
  memory_bytes bigint not null,
  disk_bytes   bigint not null
);

-- The same for the gateway's counters of each app.
create table meter_requests (
  app       uuid primary key references app,
  boot      text not null,
  requests  bigint not null,
  bytes_out bigint not null
);

-- Parts of a micro that were used and not yet charged, in units of 1/per of this price.
create table meter_carry (
  app     uuid not null references app,
  payer   text not null,
  meter   text not null,
  price   text not null,
  carried numeric(38, 0) not null,
  primary key (app, payer, meter)
);

-- A closed interval, or a build: the cause of one chain of transfers. Kept for ever, like the ledger: a row for each
-- hour that an app ran and was paid for, with a line for each meter.
create table usage_interval (
  id         uuid primary key,  -- derived from app, payer and number, or from the build
  app        uuid not null references app,
  payer      text not null,
  cause      text not null constraint cause_is_known check (cause in ('run', 'build')),
  started_at timestamptz not null,
  ended_at   timestamptz not null,
  charged    bigint not null,   -- the sum of its lines
  uncharged  bigint not null,   -- used beyond what was held: nobody pays it
  posted_at  timestamptz        -- when the ledger had it
);
create index usage_unposted on usage_interval (ended_at) where posted_at is null;
create index usage_app on usage_interval (app, ended_at);

create table usage_line (
  usage  uuid not null references usage_interval,
  meter  text not null,
  used   numeric(38, 0) not null,
  micros bigint not null,
  primary key (usage, meter)
);

-- Lines added up by day (UTC) for charts and runways.
create table usage_day (
  app    uuid not null references app,
  day    date not null,
  meter  text not null,
  used   numeric(38, 0) not null,
  micros bigint not null,
  primary key (app, day, meter)
);

-- What was asked to be held for an interval or build. `amount` is what the ledger held; null: not known yet.
create table usage_hold (
  id       uuid primary key,  -- also on the ledger
  usage    uuid not null,
  app      uuid not null references app,
  payer    text not null,
  cause    text not null constraint cause_is_known check (cause in ('run', 'build')),
  place    int not null,
  asked    bigint not null,
  asked_at timestamptz not null,
  amount   bigint,
  resolved boolean not null default false
);
create index usage_hold_open on usage_hold (usage) where not resolved;

-- What an app keeps on disk while it sleeps or is frozen, and how long that has not been charged.
create table rent (
  app        uuid primary key references app,
  size_bytes bigint not null,
  since_ms   bigint not null,         -- integrated up to here
  byte_ms    numeric(38, 0) not null, -- and not yet charged
  number     bigint not null          -- of the next charge
);

-- A charge of rent, and who pays which part: planned here first, then posted exactly so.
create table rent_charge (
  id           uuid primary key,
  app          uuid not null references app,
  at           timestamptz not null,
  byte_ms      numeric(38, 0) not null,
  from_purse   bigint not null,
  from_reserve bigint not null,
  from_commons bigint not null,
  uncharged    bigint not null,
  posted_at    timestamptz
);
create index rent_unposted on rent_charge (at) where posted_at is null;
