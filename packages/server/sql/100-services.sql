-- Work that must happen (jobs.ts). A row is deleted when the work is done.
create table job (
  id            bigint generated always as identity primary key,
  kind          text not null,
  key           text,
  data          jsonb not null,
  run_at        timestamptz not null,
  attempt       int not null default 0,
  again         boolean not null default false,  -- asked for again while it ran
  claimed_by    text,
  claimed_until timestamptz,
  error         text
);
create unique index job_key on job (kind, key) where key is not null;
create index job_due on job (run_at);

-- What happened (events.ts). Rows stay: they are the app's public history.
create table event (
  id   bigint generated always as identity primary key,
  type text not null,
  app  uuid,
  data jsonb not null,
  at   timestamptz not null
);
create index event_app on event (app, id);
