-- A backup: all durable data of an app as of one moment, in files of open formats.
create table backup (
  id       uuid primary key,
  app      uuid not null references app,
  kind     text not null constraint kind_is_known check (kind in ('schedule', 'demand')),
  state    text not null constraint state_is_known check (state in ('making', 'kept', 'failed', 'leaving')),
  asked_by text,             -- did:key; null: the node, or nobody signed
  asked_at timestamptz not null,
  taken_at timestamptz,      -- the moment that it holds
  ended_at timestamptz,
  problem  text              -- why there is none, in words
);
create index backup_app on backup (app, asked_at);
create unique index backup_one_at_a_time on backup (app) where state = 'making';

-- What a backup holds: an archive of the sandbox daemon each.
create table backup_file (
  backup     uuid not null references backup,
  part       text not null constraint part_is_known check (part in ('files', 'database')),
  archive    text not null unique,
  sha256     text not null,
  size_bytes bigint not null,
  primary key (backup, part)
);

-- The disks that it was made of: a restore makes the same ones anew.
create table backup_disk (
  backup     uuid not null references backup,
  path       text not null,
  size_bytes bigint not null,
  primary key (backup, path)
);

create table restore (
  id       uuid primary key,
  app      uuid not null references app,
  backup   uuid not null references backup,
  state    text not null constraint state_is_known check (state in ('waiting', 'done', 'failed')),
  asked_by text,
  asked_at timestamptz not null,
  ended_at timestamptz,
  problem  text
);
create index restore_app on restore (app, asked_at);
create unique index restore_one_at_a_time on restore (app) where state = 'waiting';
