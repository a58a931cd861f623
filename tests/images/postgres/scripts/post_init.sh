#!/bin/sh
# Makes the roles that Spilo makes: post_init.sh HUMAN_ROLE CONNECTION_STRING
export PGOPTIONS="-c synchronous_commit=local -c search_path=pg_catalog"
for database in postgres template1; do
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=human="$1" --dbname="$2 dbname=$database" \
        --file=/scripts/post_init.sql || exit 1
done
