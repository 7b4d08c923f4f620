-- Posts a batch of events, in order, in one transaction: the only way money moves.
--
-- An event is one index into the arrays. Its flags say what it is:
--   0 transfer   2 hold   4 post a hold   8 void a hold   32 expire a hold
--   + 1 linked: stands or falls with the next event     + 16 up to: as much of the amount as there is
--
-- Each event gets a status:
--   0 created              4 accounts of different assets   8 too large (±9·10¹⁵, safe in JavaScript)  12 hold not yet expired
--   1 exists, same fields  5 bad amount                     9 no such hold                             13 another event of its chain failed
--   2 exists, other fields 6 debit = credit                10 hold already resolved                    14 chain left open at the batch's end
--   3 no such account      7 would cross the floor         11 hold expired                             15 flags or fields contradict each other
-- A chain is all new or all known; if it is a mix, its first known event gets 2 and the others 13.
-- A refused id stays free.
--
-- How: accounts and ids get small numbers (`account_of`, `slot_of`), what the database knows of them is read into
-- arrays, the loop changes the arrays alone, and one statement writes the outcome. So a failed chain is walked back
-- in the arrays, without savepoints, and the cost per event is that of the loop: some 50 µs in all.
create function post(
  epoch int,
  ids uuid[],
  debits bigint[],                    -- null where a hold is resolved: the accounts are the hold's
  credits bigint[],
  amounts bigint[],                   -- null for void and expire: they release all that was held
  codes smallint[],
  flags smallint[] default null,
  refs uuid[] default null,           -- the id of the hold to post, void or expire
  expiries bigint[] default null,     -- of holds: unix seconds, null = never
  now timestamptz default clock_timestamp(),
  out statuses smallint[],
  out seqs bigint[],                  -- where the event is, if created or known
  out moved bigint[]                  -- what it moved, held or released
)
language plpgsql security definer
set search_path = ledger, pg_temp
set plan_cache_mode = force_generic_plan -- A plan per call would cost more than the work,
set enable_seqscan = off                 -- and the one that is kept must not be what suited an empty table.
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  largest constant bigint := 9000000000000000;
  n constant int := cardinality(ids);
  writer_epoch constant int := epoch;

  last_seq bigint;
  last_chain bytea;
  batch_at timestamptz;
  batch_micros bigint;
  next_seq bigint;

  -- Per slot (an id that some event has or refers to): the row of that id, from the table or from this batch.
  slot_of int[];        -- [event] its own id, [n + event] the hold it refers to
  row_seq bigint[];     -- null = no such row
  row_kind int[];
  row_code int[];
  row_debit int[];      -- index into the account arrays
  row_credit int[];
  row_amount bigint[];
  row_ref bigint[];
  row_expires bigint[];
  row_open boolean[];   -- a hold not yet resolved

  -- Per account.
  account_of int[];     -- [event] debit, [n + event] credit, then debit and credit of each slot's row
  account_id bigint[];
  account_asset int[];  -- null = no such account
  account_public boolean[];
  account_floor bigint[];
  account_balance bigint[];
  account_held bigint[];
  account_version bigint[];

  -- Per accepted event, in order.
  accepted int := 0;
  touches_holds boolean := false;
  new_event int[] := array_fill(0, array[n]);
  new_debit_balance bigint[] := array_fill(0::bigint, array[n]);
  new_debit_held bigint[] := new_debit_balance;
  new_credit_balance bigint[] := new_debit_balance;
  new_debit_version bigint[] := new_debit_balance;
  new_credit_version bigint[] := new_debit_balance;

  -- The event in hand.
  flag int;
  kind int;
  up_to boolean;
  slot int;
  hold int;             -- the slot of the hold that it resolves
  payer int;
  payee int;
  amount bigint;
  status int;

  -- The chain in hand.
  chain_first int := 0; -- its first event, 0 = no chain
  chain_accepted int;   -- how many were accepted before it
  chain_known int;      -- its first event that exists already
  chain_failed boolean;
  verdict int;          -- why it failed: told to the event that is to blame, the others get 13
begin
  -- Lock 1 of 2, always the first. Whoever waits here sees, in its next statements, what the last batch committed.
  perform from fence where fence.one and fence.epoch = writer_epoch for update;
  if not found then
    raise exception 'epoch % is over: another writer took over', writer_epoch using errcode = 'LG001';
  end if;
  select head.seq, head.chain, greatest(head.at, now) into last_seq, last_chain, batch_at from head;
  batch_micros := micros_of(batch_at);
  next_seq := last_seq + 1;

  if n = 0 then
    statuses := '{}'; seqs := '{}'; moved := '{}';
    return;
  end if;
  if n <> any (array[cardinality(debits), cardinality(credits), cardinality(amounts), cardinality(codes),
    coalesce(cardinality(flags), n), coalesce(cardinality(refs), n), coalesce(cardinality(expiries), n)])
  then
    raise exception 'post: arrays of different lengths';
  end if;
  statuses := array_fill(0::smallint, array[n]);
  seqs := array_fill(null::bigint, array[n]);
  moved := seqs;

  -- One sort numbers the ids. A self-join of two unnested arrays would do it in n² steps.
  with named as materialized (
    select u.place, u.id, dense_rank() over (order by u.id)::int as slot
    from unnest(ids || refs) with ordinality as u (id, place)
  ), known as materialized (
    select s.slot, t.seq, t.kind, t.code, t.debit, t.credit, t.amount, t.ref, t.expires, h.seq is not null as open
    from (select distinct named.slot, named.id from named) as s
    left join transfer as t on t.id = s.id
    left join ledger.hold as h on h.seq = t.seq
    order by s.slot
  ), legs as materialized (
    select l.place, l.account, dense_rank() over (order by l.account)::int as number
    from (
      select * from unnest(debits || credits) with ordinality as u (account, place)
      union all select known.debit, 2 * n + known.slot from known
      union all select known.credit, 4 * n + known.slot from known
    ) as l
  ), touched as materialized (
    select l.number, l.account, a.asset, a.public, a.floor, a.balance, a.held, a.version
    from (select distinct legs.number, legs.account from legs) as l
    left join account as a on a.id = l.account
    order by l.number
  )
  select
    (select array_agg(o.slot) from (select named.slot from named order by named.place) as o),
    (select array_agg(o.number) from (select legs.number from legs order by legs.place) as o),
    k.*, t.*
  into slot_of, account_of,
    row_seq, row_kind, row_code, row_amount, row_ref, row_expires, row_open,
    account_id, account_asset, account_public, account_floor, account_balance, account_held, account_version
  from (
    select array_agg(known.seq), array_agg(known.kind::int), array_agg(known.code::int), array_agg(known.amount),
      array_agg(known.ref), array_agg(known.expires), array_agg(known.open)
    from known
  ) as k, (
    select array_agg(touched.account), array_agg(touched.asset::int), array_agg(touched.public), array_agg(touched.floor),
      array_agg(touched.balance), array_agg(touched.held), array_agg(touched.version)
    from touched
  ) as t;
  row_debit := account_of[2 * n + 1 : 2 * n + cardinality(row_seq)];
  row_credit := account_of[2 * n + cardinality(row_seq) + 1 :];

  for event in 1 .. n loop
    flag := coalesce(flags[event], 0);
    slot := slot_of[event];
    hold := slot_of[n + event];
    up_to := flag & 16 > 0;
    if flag & 1 = 1 and chain_first = 0 then
      chain_first := event; chain_accepted := accepted; chain_known := 0; chain_failed := false;
    end if;

    <<decide>>
    begin
      if chain_first > 0 and chain_failed then
        status := 13;
        exit decide;
      end if;

      kind := case flag & 46 when 0 then 0 when 2 then 1 when 4 then 2 when 8 then 3 when 32 then 4 end;
      if kind is null or flag not between 0 and 63
        or (refs[event] is null) <> (kind < 2)
        or kind < 2 and (debits[event] is null or credits[event] is null)
        or kind >= 2 and (debits[event] is not null or credits[event] is not null)
        or kind >= 3 and (up_to or amounts[event] is not null)
        or kind <> 1 and expiries[event] is not null
        or ids[event] is null or codes[event] is null
      then
        status := 15;
        exit decide;
      end if;

      -- Known already? "Up to" moved less than asked, so asking again for at least that is the same.
      if row_seq[slot] is not null then
        if row_kind[slot] = kind and row_code[slot] = codes[event]
          and (kind >= 3 or row_amount[slot] = amounts[event] or up_to and row_amount[slot] < amounts[event])
          and (kind >= 2 or row_debit[slot] = account_of[event] and row_credit[slot] = account_of[n + event])
          and (kind <> 1 or row_expires[slot] is not distinct from expiries[event])
          and (kind < 2 or row_ref[slot] = row_seq[hold])
        then
          status := 1;
        else
          status := 2;
        end if;
        exit decide;
      end if;

      if kind < 2 then
        payer := account_of[event];
        payee := account_of[n + event];
        amount := amounts[event];
        status := case
          when payer = payee then 6
          when account_asset[payer] is null or account_asset[payee] is null then 3
          when account_asset[payer] <> account_asset[payee] then 4
          when amount is null or amount <= 0 then 5
          when expiries[event] <= batch_micros / 1000000 then 11
          else 0
        end;
        exit decide when status > 0;
        if up_to and account_floor[payer] is not null then
          amount := least(amount, account_balance[payer] - account_held[payer] - account_floor[payer]);
          if amount <= 0 then
            status := 7;
            exit decide;
          end if;
        end if;
        status := case
          when amount > largest then 8
          when account_balance[payer] - account_held[payer] - amount < account_floor[payer] then 7
          when kind = 0 and (account_balance[payer] - amount < -largest or account_balance[payee] + amount > largest) then 8
          when kind = 1 and account_held[payer] + amount > largest then 8
          else 0
        end;
        exit decide when status > 0;
      else
        status := case
          when row_seq[hold] is null or row_kind[hold] <> 1 then 9
          when not row_open[hold] then 10
          when kind < 4 and row_expires[hold] <= batch_micros / 1000000 then 11
          when kind = 4 and (row_expires[hold] is null or row_expires[hold] > batch_micros / 1000000) then 12
          else 0
        end;
        exit decide when status > 0;
        payer := row_debit[hold];
        payee := row_credit[hold];
        amount := row_amount[hold];
        if kind = 2 then
          amount := case when up_to and amounts[event] > amount then amount else amounts[event] end;
          status := case
            when amount is null or amount <= 0 or amount > row_amount[hold] then 5
            when account_balance[payer] - amount < -largest or account_balance[payee] + amount > largest then 8
            else 0
          end;
          exit decide when status > 0;
        end if;
      end if;

      -- Accepted: change both accounts, fill the slot, remember what the row will say.
      if kind = 0 or kind = 2 then
        account_balance[payer] := account_balance[payer] - amount;
        account_balance[payee] := account_balance[payee] + amount;
      end if;
      touches_holds := touches_holds or kind > 0;
      if kind = 1 then
        account_held[payer] := account_held[payer] + amount;
      elsif kind > 1 then
        account_held[payer] := account_held[payer] - row_amount[hold]; -- A post releases the whole hold, also what it did not need.
        row_open[hold] := false;
        row_ref[slot] := row_seq[hold];
      end if;
      account_version[payer] := account_version[payer] + 1;
      account_version[payee] := account_version[payee] + 1;

      row_seq[slot] := next_seq;
      row_kind[slot] := kind;
      row_code[slot] := codes[event];
      row_debit[slot] := payer;
      row_credit[slot] := payee;
      row_amount[slot] := amount;
      row_open[slot] := kind = 1;
      if kind < 2 then
        row_ref[slot] := null;
        row_expires[slot] := expiries[event];
      else
        row_expires[slot] := null;
      end if;

      next_seq := next_seq + 1;
      accepted := accepted + 1;
      new_event[accepted] := event;
      new_debit_balance[accepted] := account_balance[payer];
      new_debit_held[accepted] := account_held[payer];
      new_credit_balance[accepted] := account_balance[payee];
      new_debit_version[accepted] := account_version[payer];
      new_credit_version[accepted] := account_version[payee];
    end decide;
    statuses[event] := status;

    if chain_first > 0 and not chain_failed then
      if status = 1 and chain_known = 0 then
        chain_known := event;
      end if;
      verdict := case
        when status > 1 then status
        when chain_known > 0 and (accepted > chain_accepted or chain_known > chain_first) then 2
        when event = n and flag & 1 = 1 then 14
      end;
      if verdict is not null then
        chain_failed := true;
        while accepted > chain_accepted loop
          slot := slot_of[new_event[accepted]];
          hold := slot_of[n + new_event[accepted]];
          payer := row_debit[slot];
          payee := row_credit[slot];
          if row_kind[slot] in (0, 2) then
            account_balance[payer] := account_balance[payer] + row_amount[slot];
            account_balance[payee] := account_balance[payee] - row_amount[slot];
          end if;
          if row_kind[slot] = 1 then
            account_held[payer] := account_held[payer] - row_amount[slot];
          elsif row_kind[slot] > 1 then
            account_held[payer] := account_held[payer] + row_amount[hold];
            row_open[hold] := true;
          end if;
          account_version[payer] := account_version[payer] - 1;
          account_version[payee] := account_version[payee] - 1;
          row_seq[slot] := null;
          next_seq := next_seq - 1;
          accepted := accepted - 1;
        end loop;
        for member in chain_first .. event loop
          statuses[member] := 13;
        end loop;
        statuses[case when verdict = 2 and status < 2 then chain_known else event end] := verdict;
      end if;
    end if;
    if flag & 1 = 0 then
      chain_first := 0;
    end if;
  end loop;

  for event in 1 .. n loop
    if statuses[event] <= 1 then
      seqs[event] := row_seq[slot_of[event]];
      moved[event] := row_amount[slot_of[event]];
    end if;
  end loop;
  if accepted = 0 then
    return;
  end if;

  insert into transfer
  select s.seq, s.id, s.kind, s.code, batch_at, s.debit, s.credit, s.amount, s.ref, s.expires, s.debit_balance, s.debit_held,
    s.credit_balance, s.debit_version, s.credit_version, s.salt,
    leaf(s.seq, s.kind, s.code, s.asset, batch_micros, s.debit, s.debit_public, s.credit, s.credit_public, s.amount, s.ref, s.commitment)
  from (
    select f.*, sha256(entry(f.seq, f.id, f.kind, f.code, f.asset, batch_micros, f.debit, f.credit, f.amount, f.ref, f.expires,
      f.debit_balance, f.debit_held, f.credit_balance, f.debit_version, f.credit_version, f.salt)) as commitment
    from (
      select p.*, row_seq[p.slot] as seq, ids[p.event] as id, row_kind[p.slot]::smallint as kind, codes[p.event] as code,
        account_id[row_debit[p.slot]] as debit, account_id[row_credit[p.slot]] as credit,
        account_public[row_debit[p.slot]] as debit_public, account_public[row_credit[p.slot]] as credit_public,
        account_asset[row_debit[p.slot]]::smallint as asset,
        row_amount[p.slot] as amount, row_ref[p.slot] as ref, row_expires[p.slot] as expires
      from (
        select slot_of[u.event] as slot, u.*, uuid_send(gen_random_uuid()) as salt -- 122 random bits.
        from unnest(new_event[:accepted], new_debit_balance[:accepted], new_debit_held[:accepted],
          new_credit_balance[:accepted], new_debit_version[:accepted], new_credit_version[:accepted])
          as u (event, debit_balance, debit_held, credit_balance, debit_version, credit_version)
      ) as p
      offset 0 -- Keeps what stands above from being evaluated again wherever it is used.
    ) as f
    offset 0
  ) as s;

  insert into batch
  select next_seq - 1, accepted, batch_at, sha256(last_chain || string_agg(t.leaf, ''::bytea))
  from (select transfer.leaf from transfer where transfer.seq > last_seq order by transfer.seq) as t;

  if touches_holds then
    insert into ledger.hold
    select t.seq, t.debit, t.credit, t.amount, t.code, t.expires from transfer as t
    where t.seq > last_seq and t.kind = 1 and not exists (select from transfer as r where r.ref = t.seq);

    delete from ledger.hold as h using transfer as t
    where t.seq > last_seq and t.ref = h.seq;
  end if;

  -- Lock 2 of 2: the accounts, taken only by whoever holds lock 1, so there is no cycle to wait in.
  update account set balance = u.balance, held = u.held, version = u.version
  from unnest(account_id, account_balance, account_held, account_version) as u (id, balance, held, version)
  where account.id = u.id and account.version <> u.version;
end $$;
