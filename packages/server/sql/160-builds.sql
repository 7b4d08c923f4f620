-- A deployment: one commit of an app's repository on its way to running. Public, with what each step took and cost.
create table deployment (
  id           uuid primary key,
  app          uuid not null references app,
  ref          text,             -- null: the repository's default branch
  requested_by text,             -- did:key; null: nobody signed
  status       text not null
                 constraint status_is_known
                 check (status in ('waiting', 'fetching', 'building', 'starting', 'running', 'failed', 'replaced')),
  problem      text,             -- why it waits or failed: what happened, what it cost, what to do
  payer        text,             -- an account of the ledger
  hold         uuid,             -- what it holds there
  ceiling      bigint not null,
  cost         bigint,           -- what was charged; null: nothing is settled yet
  attempt      int not null,     -- a node that was killed starts over
  commit       text,
  subject      text,             -- first line of its message
  committed_at timestamptz,
  outcome      jsonb,            -- written once, when building has ended; settled and announced afterwards
  created_at   timestamptz not null,
  ended_at     timestamptz
);
create index deployment_app on deployment (app, created_at);
-- One build of a repository at a time.
create unique index deployment_one_build on deployment (app) where status in ('waiting', 'fetching', 'building');

create table deployment_step (
  deployment uuid not null references deployment,
  name       text not null constraint name_is_known check (name in ('fetch', 'build', 'run')),
  status     text not null
               constraint status_is_known check (status in ('waiting', 'running', 'done', 'failed', 'skipped')),
  detail     text not null,
  started_at timestamptz,
  ended_at   timestamptz,
  cost       bigint,             -- null: counted from the sandboxes below
  primary key (deployment, name)
);

-- A sandbox that a deployment started: stored before it starts, so that a killed node finds and removes it, and
-- with the kernel's reading before it is removed, so that what it used is never forgotten.
create table build_sandbox (
  id         text primary key,
  deployment uuid not null references deployment,
  attempt    int not null,
  step       text not null,
  cpu_ns     bigint not null,
  started_at timestamptz not null,
  removed_at timestamptz
);
create index build_sandbox_deployment on build_sandbox (deployment, attempt);
create index build_sandbox_left on build_sandbox (id) where removed_at is null;

-- A release: the immutable image that a deployment made, and how to run it.
create table release (
  deployment uuid primary key references deployment,
  app        uuid not null references app,
  number     int not null,       -- 1, 2, 3 … per app
  sha256     text not null,      -- of the image
  size_bytes bigint not null,
  commit     text not null,
  plan       jsonb not null,
  receipt    text not null,      -- the exact bytes of the build receipt
  built_at   timestamptz not null,
  unique (app, number)
);
create index release_app on release (app, sha256);
