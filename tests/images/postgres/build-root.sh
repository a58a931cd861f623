#!/bin/sh
# Fills a directory with the database image's root: Debian 13 with PostgreSQL 17 and Patroni, PostgreSQL 15 from Debian 12.
# build-root.sh DIRECTORY; needs root and debootstrap. Run it in a mount namespace of its own: debootstrap mounts.
set -eu
root=$1
suite=trixie
older_suite=bookworm
# What the entry point needs, what a person or an operator calls in the container, two majors of PostgreSQL.
packages="patroni curl openssl locales
    postgresql-17 postgresql-17-partman
    postgresql-15 postgresql-15-partman"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
in_root() { chroot "$root" "$@"; }

# The mirror that the machine itself uses, if it is a Debian; else the one that debootstrap knows.
mirror=$(apt-get indextargets --format '$(ORIGIN)/$(LABEL) $(SITE)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's|^Debian/Debian ||p' | head -n 1) || true
case "$mirror" in https:*) include=--include=ca-certificates ;; *) include= ;; esac
debootstrap --variant=minbase $include $suite "$root" ${mirror:+"$mirror"}

# The older suite comes from where the base came from.
sed "s/$suite/$older_suite/" "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/older.list"
echo "APT::Default-Release \"$suite\";" >"$root/etc/apt/apt.conf.d/90default-release"
# The machine's proxy, if it has one.
apt-config dump 2>/dev/null | grep -Ei '^Acquire::(https?::proxy|check-)' >"$root/etc/apt/apt.conf.d/91machine" || true

# Documentation, translations, and the compiler that Postgres would use for just-in-time compilation (240 MB).
cat >"$root/etc/dpkg/dpkg.cfg.d/small" <<EOF
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
path-exclude=/usr/lib/*/libLLVM*
path-exclude=/usr/lib/*/libz3.so*
path-exclude=/usr/lib/llvm*
path-exclude=/usr/lib/postgresql/*/lib/bitcode/*
path-exclude=/usr/lib/postgresql/*/lib/llvmjit*
EOF

# No service starts, no cluster is made; user and group have Spilo's numbers, which manifests name.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir -p "$root/etc/postgresql-common"
echo "create_main_cluster = false" >"$root/etc/postgresql-common/createcluster.conf"
in_root groupadd --gid 103 postgres
in_root useradd --uid 101 --gid 103 --home-dir /home/postgres --create-home --shell /bin/bash postgres
chmod 755 "$root/home/postgres"
# A pod may run as a number without a name; the entry point then gives it one.
chmod 664 "$root/etc/passwd"

in_root apt-get update --quiet
# shellcheck disable=SC2086
in_root apt-get install --quiet --yes --no-install-recommends $packages
in_root localedef --inputfile en_US --charmap UTF-8 en_US.UTF-8

in_root apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old "$root"/var/log/* \
    "$root"/usr/share/doc/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/usr/share/man/* \
    "$root"/usr/share/i18n "$root"/etc/ssl/private/* "$root"/etc/apt/apt.conf.d/91machine "$root"/usr/sbin/policy-rc.d \
    "$root"/etc/resolv.conf "$root"/etc/hostname "$root"/tmp/* "$root"/run/*
