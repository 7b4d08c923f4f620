-- One repository may hold several apps, each in a folder of its own; '' is the repository's top.
alter table app add column root text not null default '';
alter table app drop constraint app_url_key;
alter table app add constraint one_app_for_each_folder unique (url, root);
