-- Where each app's requests go: to its instance, or, without an address, to the activator.
create table gateway_route (
  app     uuid primary key,
  host    text not null,
  address text,
  port    int,
  constraint gateway_route_has_an_address_and_a_port_or_neither check ((address is null) = (port is null))
);
-- A host that moves to another app does so in one statement: checked at its end.
alter table gateway_route add constraint gateway_route_host_has_one_app unique (host) deferrable;

-- What HAProxy has counted (gateway/counters.ts): per app a base (process '') and the last value of each worker.
create table gateway_count (
  app       uuid not null,
  process   text not null,
  requests  bigint not null,
  bytes_in  bigint not null,
  bytes_out bigint not null,
  primary key (app, process)
);
