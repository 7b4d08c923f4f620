-- Which host name is whose. Where its requests go (an instance, or the activator) is not stored: a HAProxy that still
-- runs knows it, and for a new one every app is held by the activator until hosting says where it is.
create table gateway_host (
  app  uuid primary key,
  host text not null unique
);

-- What HAProxy has counted (gateway/counters.ts): per app a base (process '') and the last value of each worker.
create table gateway_count (
  app       uuid not null,
  process   text not null,
  requests  bigint not null,
  bytes_in  bigint not null,
  bytes_out bigint not null,
  primary key (app, process)
);
