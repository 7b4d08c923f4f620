-- An instance: one running copy of a release, in one sandbox. Stored before the sandbox starts, so that a killed
-- node finds what it left.
create table instance (
  id         text primary key,   -- of the sandbox
  app        uuid not null references app,
  release    text not null,      -- sha256 of the image
  deployment uuid,               -- set while its first start decides a deployment
  payer      text not null,      -- an account of the ledger
  state      text not null
               constraint state_is_known check (state in ('starting', 'awake', 'asleep', 'stopping', 'gone')),
  address    text,
  started_at timestamptz not null,
  since      timestamptz not null,
  log_inode  bigint,             -- everything it printed up to this place of its sandbox's log file
  log_offset bigint,             -- is in the app's log
  reason     text                -- why it is gone, in words
);
create index instance_live on instance (app) where state <> 'gone';
