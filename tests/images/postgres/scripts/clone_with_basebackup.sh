#!/bin/sh
# Makes the data of a new cluster from a running one: Patroni calls it with the options of its configuration.
for argument; do
    case "$argument" in
        --datadir=*) datadir=${argument#*=} ;;
        --pgpass=*) PGPASSFILE=${argument#*=} ;;
        --host=*) PGHOST=${argument#*=} ;;
        --port=*) PGPORT=${argument#*=} ;;
        --user=*) PGUSER=${argument#*=} ;;
    esac
done
export PGPASSFILE PGHOST PGPORT PGUSER
echo "cloning from $PGHOST:$PGPORT"
exec pg_basebackup --pgdata="${datadir:?}" --wal-method=stream --checkpoint=fast --no-password
