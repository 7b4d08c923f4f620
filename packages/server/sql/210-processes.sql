-- Besides its web process an app has workers, and commands that run once.
alter table instance
  add column process text not null default 'web',
  add column once    boolean not null default false;  -- it runs to its end, and is not started again

-- A command of an app that runs once: its release phase, one that its admin asked for, one that was due. Public.
create table process_run (
  id         uuid primary key,
  app        uuid not null references app,
  process    text not null,      -- as its lines are named in the app's log
  argv       jsonb not null,
  asked_by   text,               -- did:key; null: the app's own plan
  asked_at   timestamptz not null,
  started_at timestamptz,
  ended_at   timestamptz,
  exit_code  int,                -- null: it did not come to an end of its own
  sentence   text                -- how it ended, in words
);
create index process_run_app on process_run (app, asked_at);

-- What an app's running release wants done at set times.
create table cron_entry (
  app      uuid not null references app,
  name     text not null,
  schedule text not null,        -- five fields, UTC
  argv     jsonb not null,
  next_at  timestamptz not null,
  primary key (app, name)
);
create index cron_entry_due on cron_entry (next_at);
