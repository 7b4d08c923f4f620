-- A contribution of 10.00 reaches an app: 5 % to the commons, half of the rest to the reserve, the rest to the purse.

-- Money enters from a rail, whose account has no floor; nobody else can go below zero.
select open_account('rail/push-button', asset => 1::smallint, public => true, floor => null) as rail,
  open_account('commons', 1::smallint, true, 0) as commons,
  open_account('app/1/reserve', 1::smallint, true, 0) as reserve,
  open_account('app/1/purse', 1::smallint, true, 0) as purse
\gset
select take_epoch() as epoch \gset

-- Three transfers, linked (flag 1): all of them or none. The ids are the caller's, derived from the contribution.
select * from post(:epoch,
  ids     => '{c0000000-0000-8000-8000-000000000001, c0000000-0000-8000-8000-000000000002, c0000000-0000-8000-8000-000000000003}',
  debits  => array[:rail, :rail, :rail],
  credits => array[:commons, :reserve, :purse],
  amounts => '{500000, 4750000, 4750000}',
  codes   => '{1, 2, 3}',
  flags   => '{1, 1, 0}');

-- Posted again, for instance because the answer was lost: every event exists (1), nothing moves.
select * from post(:epoch,
  ids     => '{c0000000-0000-8000-8000-000000000001, c0000000-0000-8000-8000-000000000002, c0000000-0000-8000-8000-000000000003}',
  debits  => array[:rail, :rail, :rail],
  credits => array[:commons, :reserve, :purse],
  amounts => '{500000, 4750000, 4750000}',
  codes   => '{1, 2, 3}',
  flags   => '{1, 1, 0}');

select name, balance, version from account order by id;

-- Each row has both balances after it.
select seq, debit, credit, amount, debit_balance, credit_balance from transfer order by seq;
