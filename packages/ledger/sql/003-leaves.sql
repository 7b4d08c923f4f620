-- The bytes of a row and of its leaf: spec/entry-and-leaf.md. Big-endian, fixed width, no optional fields.
-- Without a `set` clause PostgreSQL inlines these into the caller's query: 2.5 µs a row instead of 15.

create function micros_of(at timestamptz) returns bigint
language sql immutable strict parallel safe as $$
  select (extract(epoch from at) * 1000000)::bigint
$$;

-- 134 bytes, for the two parties.
create function entry(
  seq bigint, id uuid, kind smallint, code smallint, asset smallint, at_micros bigint,
  debit bigint, credit bigint, amount bigint, ref bigint, expires bigint,
  debit_balance bigint, debit_held bigint, credit_balance bigint, debit_version bigint, credit_version bigint, salt bytea
) returns bytea
language sql immutable parallel safe as $$
  select int8send(seq) || uuid_send(id) || int2send(kind) || int2send(code) || int2send(asset) || int8send(at_micros)
    || int8send(debit) || int8send(credit) || int8send(amount) || int8send(coalesce(ref, 0)) || int8send(coalesce(expires, 0))
    || int8send(debit_balance) || int8send(debit_held) || int8send(credit_balance) || int8send(debit_version) || int8send(credit_version)
    || salt
$$;

-- What the log shows of a row, hashed as a leaf (0x00 first). `commitment` is sha256(entry).
--   type 2, 87 bytes: money that moved from or to a public account; a private account is 0, "a member"
--   type 1, 41 bytes: anything else, that it happened and no more
create function leaf(
  seq bigint, kind smallint, code smallint, asset smallint, at_micros bigint,
  debit bigint, debit_public boolean, credit bigint, credit_public boolean, amount bigint, ref bigint, commitment bytea
) returns bytea
language sql immutable parallel safe as $$
  select sha256(case
    when kind in (0, 2) and (debit_public or credit_public) then
      '\x0002'::bytea || int8send(seq) || int2send(kind) || int2send(code) || int2send(asset) || int8send(at_micros)
      || int8send(case when debit_public then debit else 0 end) || int8send(case when credit_public then credit else 0 end)
      || int8send(amount) || int8send(coalesce(ref, 0)) || commitment
    else
      '\x0001'::bytea || int8send(seq) || commitment
  end)
$$;

-- Type 3, 51 bytes: the hash of a public document.
create function record_leaf(seq bigint, topic smallint, at_micros bigint, hash bytea) returns bytea
language sql immutable parallel safe as $$
  select sha256('\x0003'::bytea || int8send(seq) || int2send(topic) || int8send(at_micros) || hash)
$$;
