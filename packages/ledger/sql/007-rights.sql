-- Nobody but the owner may write a table; the writer changes them through four functions alone.
grant usage on schema ledger to ledger_writer, ledger_reader;
grant select on all tables in schema ledger to ledger_writer, ledger_reader;

revoke execute on all functions in schema ledger from public;
grant execute on function open_account, take_epoch, post, record to ledger_writer;
grant execute on function micros_of, entry, leaf, record_leaf to ledger_writer, ledger_reader; -- The view `broken` runs as who reads it.

-- A later migration's tables and functions start from the same rule.
alter default privileges in schema ledger grant select on tables to ledger_writer, ledger_reader;
alter default privileges in schema ledger revoke execute on functions from public;
