-- When an app stopped keeping a release's image: it pays no more rent for it, and the file goes unless another app
-- keeps the same one. The row stays: whoever wants it back builds its commit again.
alter table release add column removed_at timestamptz;
create index release_kept on release (sha256) where removed_at is null;

-- The image that a deployment packed, from the moment it is on disk: kept until it is decided what becomes of it.
alter table deployment add column image text;
update deployment set image = outcome ->> 'sha256' where outcome ->> 'kind' = 'built';
create index deployment_unfinished on deployment (image)
  where status in ('waiting', 'fetching', 'building', 'starting');
