-- What must always hold, as one view of what does not: a sound ledger's is empty.
-- One statement sees one moment, so it may run while others post. It reads everything: for tests and nightly runs.
create view broken as

select 'money is conserved' as rule, 'asset ' || asset as subject
from account group by asset having sum(balance) <> 0

union all
select 'nobody is below the floor', 'account ' || id
from account where balance - held < floor

union all
select 'no row took anybody below the floor', 'seq ' || t.seq
from transfer as t join account as a on a.id = t.debit
where t.debit_balance - t.debit_held < a.floor

union all
select 'numbers run from 1 to the head without a gap', 'seq ' || head.seq
from head, (
  select count(*) as n, coalesce(max(seq), 0) as last, count(distinct seq) as different
  from (select seq from transfer union all select seq from record) as leaf
) as l
where (head.seq, head.seq, head.seq) is distinct from (l.n, l.last, l.different)

union all
select 'each batch follows the last', 'seq ' || last_seq
from (
  select last_seq, n, at, lag(last_seq, 1, 0::bigint) over w as previous, lag(at) over w as previous_at
  from batch window w as (order by last_seq)
) as b
where last_seq <> previous + n or at < previous_at or n < 1 and last_seq > 0

union all (
  with leg as (
    select debit as account, debit_version as version, debit_balance as balance,
      case when kind in (0, 2) then -amount else 0 end as change
    from transfer
    union all
    select credit, credit_version, credit_balance, case when kind in (0, 2) then amount else 0 end
    from transfer
  ), step as (
    select *, lag(balance, 1, 0::bigint) over w as previous, row_number() over w as n, lead(version) over w as next
    from leg window w as (partition by account order by version)
  )
  select 'each balance is the last one plus the row', 'account ' || account || ' version ' || version
  from step where version <> n or balance <> previous + change
  union all
  select 'an account is as its last row left it', 'account ' || coalesce(account.id, step.account)
  from account full join (select * from step where next is null) as step on step.account = account.id
  where (account.balance, account.version) is distinct from (coalesce(step.balance, 0), coalesce(step.version, 0))
)

union all
select 'what is held is the sum of open holds', 'account ' || account.id
from account left join (select debit, sum(amount) as amount from hold group by debit) as h on h.debit = account.id
where account.held <> coalesce(h.amount, 0)

union all
select 'a hold is open until a row resolves it', 'seq ' || coalesce(h.seq, o.seq)
from (select * from transfer where kind = 1) as h
full join hold as o on o.seq = h.seq
left join transfer as r on r.ref = h.seq
where h.seq is null or (r.seq is null) <> (o.seq is not null)
  or o.seq is not null and (o.debit, o.credit, o.amount, o.code, o.expires) is distinct from (h.debit, h.credit, h.amount, h.code, h.expires)

union all
select 'a resolution stays within its hold', 'seq ' || r.seq
from transfer as r left join transfer as h on h.seq = r.ref
where r.kind >= 2 and (
  h.kind is distinct from 1 or (r.debit, r.credit) <> (h.debit, h.credit)
  or r.amount > h.amount or r.kind > 2 and r.amount <> h.amount
)

union all
select 'a transfer stays within one asset', 'seq ' || t.seq
from transfer as t join account as d on d.id = t.debit join account as c on c.id = t.credit
where d.asset <> c.asset

union all
select 'a leaf is the hash of its row', 'seq ' || t.seq
from transfer as t
join account as d on d.id = t.debit
join account as c on c.id = t.credit
where t.leaf <> leaf(t.seq, t.kind, t.code, d.asset, micros_of(t.at), t.debit, d.public, t.credit, c.public, t.amount, t.ref,
  sha256(entry(t.seq, t.id, t.kind, t.code, d.asset, micros_of(t.at), t.debit, t.credit, t.amount, t.ref, t.expires,
    t.debit_balance, t.debit_held, t.credit_balance, t.debit_version, t.credit_version, t.salt)))

union all
select 'a record''s leaf is the hash of its row', 'seq ' || seq
from record where leaf <> record_leaf(seq, topic, micros_of(at), hash);
