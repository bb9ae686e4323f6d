#!/bin/sh
# Run once by the postgres image when its data folder is new: the owner of the schema, the application's login and the
# database. The superuser is used for nothing else.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
	--set owner="$LOCKSTEP_OWNER_PASSWORD" --set app="$LOCKSTEP_APP_PASSWORD" <<'SQL'
CREATE ROLE lockstep LOGIN CREATEROLE PASSWORD :'owner';
CREATE ROLE lockstep_app LOGIN PASSWORD :'app';
ALTER ROLE lockstep_app SET lock_timeout = '5s';
ALTER ROLE lockstep_app SET statement_timeout = '30s';
ALTER ROLE lockstep_app SET idle_in_transaction_session_timeout = '30s';
CREATE DATABASE lockstep OWNER lockstep;
SQL
