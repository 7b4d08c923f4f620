-- An app: a public repository that this node keeps running for as long as anyone pays.
create table app (
  id          uuid primary key,
  slug        text not null unique
                constraint slug_is_one_host_label check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  url         text not null unique,
  forge       text not null,
  owner       text not null,
  name        text not null,
  ref         text,
  description text,
  created_by  text,  -- did:key of who asked for it first; null: nobody signed
  created_at  timestamptz not null,
  state       text not null
                constraint state_is_known check (state in ('funded', 'low', 'thrifty', 'frozen', 'archived')),
  state_since timestamptz not null,
  stopped     boolean not null default false,  -- by its admin; money decides `state` alone
  release     text
);
create index app_created on app (created_at);

-- Its public history: each state it came to, and why, in a sentence.
create table app_change (
  id       bigint generated always as identity primary key,
  app      uuid not null references app,
  at       timestamptz not null,
  state    text not null,
  sentence text not null
);
create index app_change_app on app_change (app, id);

-- What apps and their builds print, public. A ring: `log_head` counts lines for ever, old ones are removed.
create table log_head (
  app  uuid primary key references app,
  next bigint not null default 1  -- the number of the line that comes next
);
create table log_line (
  app    uuid not null references app,
  seq    bigint not null,
  at     timestamptz not null,
  source text not null,
  level  text not null constraint level_is_known check (level in ('out', 'err', 'ok', 'warn')),
  text   text not null,
  primary key (app, seq)
);
