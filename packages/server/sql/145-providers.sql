-- Who is paid is part of the cause: a node whose key changed posts the same transfers again, not others under their
-- ids. Null: stored before this column was there; then it is the node's key of now.
alter table usage_interval add column provider text;
alter table rent_charge add column provider text;
