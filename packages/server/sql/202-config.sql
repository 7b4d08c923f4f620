-- Settings of apps. Each change has a number; a value holds from the change `since` on, and no more from `until` on, so
-- that a release runs with the settings that it was made with. A secret is only here sealed: no dump contains one.
create table config (
  app     uuid primary key references app,
  version int not null
);
create table config_var (
  app    uuid not null references app,
  name   text not null,
  since  int not null,
  until  int,
  secret boolean not null,
  value  text,               -- of a public one
  sealed bytea,              -- of a secret one: which key, nonce, ciphertext (apps/config-seal.ts)
  at     timestamptz not null,
  primary key (app, name, since),
  constraint secret_is_sealed check ((secret and value is null and sealed is not null)
                                     or (not secret and value is not null and sealed is null))
);
create unique index config_var_now on config_var (app, name) where until is null;

-- A release is a commit, its image, and settings: one of another number may have the same image.
alter table release add column config_version int not null default 0;
alter table app add column release_number int;
alter table instance add column release_number int;
update app set release_number =
  (select max(number) from release where release.app = app.id and release.sha256 = app.release) where release is not null;

-- Why a deployment fetched and built nothing: it runs the image of an earlier release once more.
alter table deployment add column because text
  constraint because_is_known check (because in ('config', 'rollback'));
