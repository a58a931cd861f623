"""Writes in a loop through a cluster's service, and tells of every interruption: how long no write succeeded, and what there was instead."""

import os
import time

import psycopg2


def connect():
    connection = psycopg2.connect(
        host=os.environ["HOST"],
        user=os.environ["ROLE"],
        password=os.environ["PASSWORD"],
        dbname=os.environ["DATABASE"],
        sslmode="require",
        connect_timeout=2,
        options="-c statement_timeout=20000",
    )
    connection.autocommit = True
    return connection


def write(connection):
    connection.cursor().execute("INSERT INTO beat VALUES (clock_timestamp())")


def kind(error, connection):
    """Nobody takes the connection; or a server does that is no primary yet."""
    if isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return "read-only"
    return "refused" if connection is None else "cut"


def main():
    connection, failures, writes, last, seen = None, 0, 0, None, {}
    while True:
        try:
            connection = connection or connect()
            write(connection)
            now = time.monotonic()
            if failures and last is not None:
                until = " ".join(f"{what}-until {at - last:.3f}" for what, at in seen.items())
                print(f"gap {now - last:.3f} failures {failures} {until}", flush=True)
            elif last is not None and now - last > 1:
                # Nobody was refused; the machine may be slow.
                print(f"stall {now - last:.3f}", flush=True)
            failures, last, seen = 0, now, {}
            writes += 1
            if writes % 50 == 1:
                print(f"writes {writes}", flush=True)
        except psycopg2.Error as error:
            failures += 1
            seen[kind(error, connection)] = time.monotonic()
            if connection is not None:
                connection.close()
            connection = None
        time.sleep(0.01)


main()
