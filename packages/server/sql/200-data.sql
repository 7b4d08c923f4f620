-- What an app keeps on disk, kind by kind; `rent.size_bytes` is the sum.
create table rent_part (
  app        uuid not null references app,
  what       text not null constraint what_is_known check (what in ('releases', 'caches', 'volumes', 'backups')),
  size_bytes bigint not null,
  primary key (app, what)
);
insert into rent_part (app, what, size_bytes) select app, 'releases', size_bytes from rent;

-- A durable disk of an app: a volume of the sandbox daemon. Stored before it is made; one that is `making` belongs to a
-- restore or a copy that has not ended, and goes with it. Only what stands here as `leaving` or `making` is ever removed.
create table data_disk (
  id         text primary key,   -- of the volume
  app        uuid not null references app,
  owner      text not null,      -- whose ids its files have, as the daemon knows it
  path       text not null,      -- where the app sees it; `rows` and `cluster` are its database's
  size_bytes bigint not null,
  used_bytes bigint not null default 0,  -- as read last
  state      text not null constraint state_is_known check (state in ('current', 'making', 'leaving')),
  made_for   uuid,               -- the backup or restore that it was made for
  made_at    timestamptz         -- null: it may not be there yet; else it must be
);
create unique index data_disk_current on data_disk (app, path) where state = 'current';
create index data_disk_app on data_disk (app);
