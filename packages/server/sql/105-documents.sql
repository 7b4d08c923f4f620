-- The text behind a record of the ledger, which holds only its hash: the genesis, price books, policies.
create table document (
  hash  bytea primary key,
  topic smallint not null,
  text  text not null,
  seq   bigint not null,
  at    timestamptz not null
);
create index document_topic on document (topic, seq);
