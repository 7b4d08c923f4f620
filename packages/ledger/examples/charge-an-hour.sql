-- An hour of an app: money is held before it is used, what was used is charged, the rest is free again.

select open_account('rail', asset => 1::smallint, public => true, floor => null) as rail,
  open_account('app/1/purse', 1::smallint, true, 0) as purse,
  open_account('app/1/clearing', 1::smallint, true, 0) as clearing,
  open_account('provider/did:key:z6Mk', 1::smallint, true, 0) as provider
\gset
select take_epoch() as epoch \gset
select statuses from post(:epoch, '{c0000000-0000-8000-8000-000000000001}', array[:rail], array[:purse], '{1000}', '{3}');

-- Hold (2) up to (16) what the next hour may cost at most; the purse has less, so less is held.
select statuses, moved from post(:epoch, '{a0000000-0000-8000-8000-000000000001}', array[:purse], array[:clearing], '{3000}', '{10}', '{18}');
select name, balance, held, balance - held as available from account order by id;

-- The hour cost 42 of processor and 8 of memory: post (4) the sum from the hold, then hand it on, in one chain.
-- A post names its hold and no accounts. What it leaves of the hold is released.
select statuses, moved from post(:epoch,
  ids     => '{b0000000-0000-8000-8000-000000000001, b0000000-0000-8000-8000-000000000002, b0000000-0000-8000-8000-000000000003}',
  debits  => array[null, :clearing, :clearing],
  credits => array[null, :provider, :provider],
  amounts => '{50, 42, 8}',
  codes   => '{11, 20, 21}',
  flags   => '{5, 1, 0}',
  refs    => '{a0000000-0000-8000-8000-000000000001, null, null}');
select name, balance, held, balance - held as available from account order by id;

-- A hold resolves once: voiding (8) it now is refused (10).
select statuses from post(:epoch, '{d0000000-0000-8000-8000-000000000001}', '{null}', '{null}', '{null}', '{11}', '{8}',
  '{a0000000-0000-8000-8000-000000000001}');
