-- What people read of an app's repository, as its newest fetch found it.
create table repository_about (
  app          uuid primary key references app,
  commit       text not null,
  readme_name  text,
  readme       text,             -- HTML that was made to be safe; null: there is none
  readme_cut   boolean not null,
  licence      text,             -- SPDX; null: there is none, or none that is recognised
  licence_file text,
  signature    text not null     -- of the commit, in a sentence
);
