#!/bin/sh
# Makes a replica: Patroni calls it with --datadir and --connstring. A fast checkpoint, or the copy waits for the next one.
for argument; do
    case "$argument" in
        --datadir=*) datadir=${argument#*=} ;;
        --connstring=*) connstring=${argument#*=} ;;
    esac
done
exec pg_basebackup --pgdata="${datadir:?}" --dbname="${connstring:?}" --wal-method=stream --checkpoint=fast --no-password
