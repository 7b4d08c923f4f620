-- Puts a public document's hash into the log: releases, states, price books, payout tables, policies.
-- The same document under the same topic is recorded once, so whoever got no answer asks again.
create function record(epoch int, topic smallint, hash bytea, now timestamptz default clock_timestamp()) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
  last head;
  new_seq bigint;
  new_at timestamptz;
  new_leaf bytea;
  new_chain bytea;
begin
  perform from fence where fence.epoch = record.epoch for update;
  if not found then
    raise exception 'epoch % is over: another writer took over', epoch using errcode = 'LG001';
  end if;
  select head.* into last from head;

  select r.seq into new_seq from ledger.record as r where r.hash = record.hash and r.topic = record.topic;
  if found then
    return new_seq;
  end if;

  new_seq := last.seq + 1;
  new_at := greatest(last.at, now);
  new_leaf := record_leaf(new_seq, topic, micros_of(new_at), hash);
  new_chain := sha256(last.chain || new_leaf);
  insert into ledger.record values (new_seq, topic, new_at, hash, new_leaf);
  insert into batch values (new_seq, 1, new_at, new_chain);
  return new_seq;
end $$;
