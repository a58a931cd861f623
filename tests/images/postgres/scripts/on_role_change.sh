#!/bin/sh
# Patroni calls: on_role_change.sh HUMAN_ROLE SUPERUSER ACTION ROLE SCOPE
# A promoted standby cluster may lack the roles that a new cluster gets.
[ "$3" = on_role_change ] && [ "$4" = primary ] || exit 0
connection="user=$2"
for _ in $(seq 30); do
    if [ "$(psql -XtA -d "$connection dbname=postgres" -c 'SELECT pg_is_in_recovery()')" = f ]; then
        exec /scripts/post_init.sh "$1" "$connection"
    fi
    sleep 1
done
