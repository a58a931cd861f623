#!/bin/sh
# Makes a replica: Patroni calls it with --datadir, --connstring and what its configuration adds (--slot).
slot=
for argument; do
    case "$argument" in
        --datadir=*) datadir=${argument#*=} ;;
        --connstring=*) connstring=${argument#*=} ;;
        --slot=*) slot=${argument#*=} ;;
    esac
done
# A fast checkpoint, or the copy waits for the next one, which can be minutes.
exec pg_basebackup --pgdata="${datadir:?}" --dbname="${connstring:?}" --wal-method=stream --checkpoint=fast \
    --no-password ${slot:+--create-slot --slot="$slot"}
