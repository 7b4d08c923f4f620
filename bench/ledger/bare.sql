-- Storage without a ledger: the same columns, two of the four indexes, no check, no balance, no hash.
create table peer.bare (like ledger.transfer);
create unique index on peer.bare (seq);
create unique index on peer.bare (id);
create sequence peer.bare_seq cache 1000;
