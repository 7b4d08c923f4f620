-- What the ledger refuses: an overdraft, a chain with one bad member, an old writer, a change of history.

select open_account('rail', asset => 1::smallint, public => true, floor => null) as rail,
  open_account('purse', 1::smallint, true, 0) as purse,
  open_account('euro', 2::smallint, true, 0) as euro
\gset
select take_epoch() as epoch \gset

-- 7 would cross the floor, 4 accounts of different assets, 5 bad amount, 6 debit = credit.
select statuses from post(:epoch,
  ids     => '{a0000000-0000-8000-8000-000000000001, a0000000-0000-8000-8000-000000000002, a0000000-0000-8000-8000-000000000003, a0000000-0000-8000-8000-000000000004}',
  debits  => array[:purse, :rail, :rail, :rail],
  credits => array[:rail, :euro, :purse, :rail],
  amounts => '{1, 1, 0, 1}',
  codes   => '{1, 1, 1, 1}');

-- The second takes more than the first brings: 7, and 13 for the other, of which nothing remains.
select statuses from post(:epoch,
  ids     => '{b0000000-0000-8000-8000-000000000001, b0000000-0000-8000-8000-000000000002}',
  debits  => array[:rail, :purse],
  credits => array[:purse, :rail],
  amounts => '{5, 6}',
  codes   => '{1, 1}',
  flags   => '{1, 0}');
select name, balance, version from account order by id;

-- A refused id stays free: the same event is accepted once there is money.
select statuses from post(:epoch, '{b0000000-0000-8000-8000-000000000001}', array[:rail], array[:purse], '{5}', '{1}');

-- Whoever starts to write takes the next epoch; the one before is fenced off.
select take_epoch() > :epoch as newer;
select statuses from post(:epoch, '{c0000000-0000-8000-8000-000000000001}', array[:rail], array[:purse], '{5}', '{1}');

-- Not even the owner changes history.
update transfer set amount = 1000000;
delete from transfer;
