"""The first process of a database container: prepares the volume, writes Patroni's configuration, runs Patroni.

It is process 1, so it reaps whatever Postgres and Patroni leave behind, passes on the order to stop, and ends when
Patroni has stopped Postgres. Started as root it runs Patroni as the user postgres, otherwise as the user it was given.
"""

import glob
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time

import configuration
from certificates import Certificates
from configuration import Installed, Unusable

CONFIG = f"{configuration.RUN_DIR}/postgres.yml"
#: All else stays out of Patroni's environment: a PGPASSWORD meant for others would reach every libpq.
PASSED_ON = re.compile("^(KUBERNETES_(SERVICE|PORT).*|POD_IP|POD_NAMESPACE|HOSTNAME|PATH|PGHOME|LC_ALL)$")
STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
#: Seconds between two looks at the mounted certificate.
REFRESH = 10
#: A Patroni that ends sooner than this many seconds after its start cannot use its configuration.
TOO_SOON = 5


def main():
    signals = STOP | {signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    env = dict(os.environ)
    env.setdefault("PGROOT", "/home/postgres/pgdata/pgroot")
    try:
        user = adopt_user()
        prepare(env)
        certificates = Certificates(env, own)
        write_config(env, certificates)
    except (Unusable, KeyError, OSError) as error:
        reason = f"{error.args[0]} is not set" if isinstance(error, KeyError) else error
        print(f"launch: cannot start: {reason}", file=sys.stderr)
        return 1
    return Supervisor(env, user, certificates).run(signals)


def adopt_user():
    """The user that Patroni runs as. A number without a name gets that of postgres: initdb insists on a name."""
    if os.getuid() == 0:
        return pwd.getpwnam("postgres")
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        with open("/etc/passwd") as file:
            entries = file.read()
        named = f"postgres:x:{os.getuid()}:{os.getgid()}:"
        with open("/etc/passwd", "w") as file:
            file.write(re.sub("(?m)^postgres:x:[0-9]*:[0-9]*:", named, entries))
        return pwd.getpwuid(os.getuid())


def own(path):
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(path, user.pw_uid, user.pw_gid)


def prepare(env):
    """Directories that Postgres and Patroni expect, with their owner."""
    for path in (env["PGROOT"], f"{configuration.RUN_DIR}/patroni", f"{configuration.RUN_DIR}/postgresql"):
        os.makedirs(path, exist_ok=True)
        own(path)
    own_below(env["PGROOT"])
    pgpass = configuration.clone_pgpass(env)
    if pgpass:
        write_private(configuration.clone_pgpass_file(), pgpass)


def own_below(root):
    """Data that another user left, from a pod with another security context, becomes ours. The first entry tells."""
    if os.getuid() != 0:
        return
    wanted = pwd.getpwnam("postgres").pw_uid
    if any(entry.stat(follow_symlinks=False).st_uid != wanted for entry in os.scandir(root)):
        for directory, names, files in os.walk(root):
            for name in names + files:
                os.chown(os.path.join(directory, name), wanted, -1, follow_symlinks=False)


def write_config(env, certificates):
    ssl = certificates.install(env.get("HOSTNAME", "postgres"))
    config = configuration.build(env, installed(env), ssl)
    print(f"launch: {config['scope']}/{config['name']} with {config['postgresql']['bin_dir']}", flush=True)
    # JSON is YAML.
    write_private(CONFIG, json.dumps(config, indent=2))


def write_private(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    own(path)


def installed(env):
    found = glob.glob(configuration.LIBRARIES.format(version="*") + "/bin/postgres")
    versions = sorted((path.split("/")[4] for path in found), key=int)
    return Installed(versions, has_library, data_version(configuration.data_dir(env)))


def has_library(bin_dir, name):
    path = os.path.join(os.path.dirname(bin_dir), "lib", f"{name}.so")
    if os.path.exists(path):
        return True
    print(f"launch: {name} is not in this image and will not be preloaded", flush=True)
    return False


def data_version(data_dir):
    try:
        with open(os.path.join(data_dir, "PG_VERSION")) as file:
            return file.read().strip()
    except OSError:
        return None


class Supervisor:
    """Runs Patroni, again when it dies, until told to stop."""

    def __init__(self, env, user, certificates):
        self.env = env
        self.user = user
        self.certificates = certificates
        self.stopping = False
        self.patroni = None
        self.started = 0.0

    def run(self, signals):
        self.start()
        while True:
            received = signal.sigtimedwait(signals, REFRESH)
            if received is None:
                self.refresh_certificates()
            elif received.si_signo == signal.SIGCHLD:
                status = self.reap()
                if status is not None and (self.stopping or time.monotonic() - self.started < TOO_SOON):
                    return status
                if status is not None:
                    print(f"launch: patroni ended with {status}, starting it again", flush=True)
                    time.sleep(1)
                    self.start()
            else:
                self.stopping = True
                os.kill(self.patroni, signal.SIGTERM)

    def start(self):
        env = {name: value for name, value in self.env.items() if PASSED_ON.match(name)}
        env["HOME"] = self.env.get("PGHOME", "/home/postgres")
        self.started = time.monotonic()
        process = subprocess.Popen(
            ["/usr/bin/python3", "/scripts/patroni_main.py", CONFIG],
            env=env,
            cwd=env["HOME"],
            preexec_fn=self.become_user,
        )
        self.patroni = process.pid

    def become_user(self):
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if os.getuid() == 0:
            # The groups that Kubernetes gave stay: with fsGroup they open the volume and the certificate.
            os.setgroups(sorted({*os.getgroups(), *os.getgrouplist(self.user.pw_name, self.user.pw_gid)} - {0}))
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

    def reap(self):
        """Collects every child that ended; Patroni's exit code if it is among them."""
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if pid == 0:
                return code
            if pid == self.patroni:
                code = os.waitstatus_to_exitcode(status)
                code = 128 - code if code < 0 else code

    def refresh_certificates(self):
        try:
            if not self.certificates.refresh():
                return
            with open(os.path.join(configuration.data_dir(self.env), "postmaster.pid")) as file:
                os.kill(int(file.readline()), signal.SIGHUP)
            print("launch: the certificate changed, Postgres reloads it", flush=True)
        except (OSError, ValueError) as error:
            print(f"launch: cannot reload the certificate: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
