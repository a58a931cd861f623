"""What Patroni is told: the environment of a database pod, turned into Patroni's configuration.

Nothing here touches the machine; launch.py gathers what is needed and writes the result. The rules are those of the
Spilo image: SPILO_CONFIGURATION is merged over the image's own settings, its lists replace lists.
"""

import json

LIBRARIES = "/usr/lib/postgresql/{version}"
RUN_DIR = "/run"
CALLBACK = "/scripts/on_role_change.sh"
POST_INIT = "/scripts/post_init.sh"


class Unusable(Exception):
    """The environment does not make a database."""


class Installed:
    """What the image and the volume hold: major versions, libraries to preload, the version of the data."""

    def __init__(self, versions, has_library, data_version=None):
        self.versions = versions
        self.has_library = has_library
        self.data_version = data_version


def build(env, installed, ssl):
    """Patroni's configuration; `ssl` are Postgres' parameters for the certificate that is in place."""
    given = parsed(env.get("SPILO_CONFIGURATION"))
    config = merged(given, defaults(env, ssl))
    postgresql = config["postgresql"]
    postgresql["bin_dir"] = bin_dir(env, postgresql.get("bin_dir"), installed)
    parameters = postgresql["parameters"]
    parameters["shared_preload_libraries"] = available(
        parameters["shared_preload_libraries"], postgresql["bin_dir"], installed
    )
    return config


def parsed(text):
    """SPILO_CONFIGURATION: JSON as the operator writes it, or YAML as a person would."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        import yaml

        value = yaml.safe_load(text) or {}
    if not isinstance(value, dict):
        raise Unusable("SPILO_CONFIGURATION is not an object")
    return value


def merged(given, image):
    """Objects are merged; anything else that is given wins, a null does not."""
    if isinstance(given, dict) and isinstance(image, dict):
        return {**given, **{key: merged(given.get(key), value) for key, value in image.items()}}
    return image if given is None else given


def bin_dir(env, given, installed):
    """Data on the volume decides, then the configuration, then PGVERSION, then the newest version there is."""
    wanted = env.get("PGVERSION", "")
    if installed.data_version in installed.versions:
        version = installed.data_version
    elif given:
        return given
    elif wanted in installed.versions:
        version = wanted
    else:
        version = installed.versions[-1]
    return LIBRARIES.format(version=version) + "/bin"


def available(libraries, directory, installed):
    """Spilo has more extensions than this image: what is missing would keep Postgres from starting."""
    names = [name.strip() for name in libraries.split(",") if name.strip()]
    return ",".join(name for name in names if installed.has_library(directory, name))


def defaults(env, ssl):
    """The image's own settings."""
    address = host(env["POD_IP"])
    return {
        "scope": env["SCOPE"],
        "name": env["HOSTNAME"],
        "namespace": env.get("POD_NAMESPACE") or "default",
        "kubernetes": kubernetes(env),
        "restapi": {"listen": ":8008", "connect_address": f"{address}:8008"},
        "bootstrap": bootstrap(env),
        "postgresql": postgresql(env, address, ssl),
        "watchdog": {"mode": "off"},
    }


def kubernetes(env):
    if not env.get("DCS_ENABLE_KUBERNETES_API"):
        raise Unusable("this image knows no store for Patroni but Kubernetes: set DCS_ENABLE_KUBERNETES_API")
    store = {
        "labels": labels(env, "KUBERNETES_LABELS", {"application": "spilo"}),
        "bootstrap_labels": labels(env, "KUBERNETES_BOOTSTRAP_LABELS", {}),
        "scope_label": env.get("KUBERNETES_SCOPE_LABEL") or "version",
        "role_label": env.get("KUBERNETES_ROLE_LABEL") or "spilo-role",
        "leader_label_value": env.get("KUBERNETES_LEADER_LABEL_VALUE") or "master",
        "standby_leader_label_value": env.get("KUBERNETES_STANDBY_LEADER_LABEL_VALUE") or "master",
        "bypass_api_service": True,
    }
    if not env.get("KUBERNETES_USE_CONFIGMAPS"):
        store["use_endpoints"] = True
        store["pod_ip"] = env["POD_IP"]
        store["ports"] = [{"port": 5432, "name": "postgresql"}]
    return store


def labels(env, name, default):
    try:
        value = json.loads(env.get(name, ""))
    except ValueError:
        return default
    return value if isinstance(value, dict) else default


def bootstrap(env):
    section = {
        "dcs": dynamic(env),
        "initdb": [{"encoding": "UTF8"}, {"locale": "en_US.UTF-8"}, "data-checksums"],
        "post_init": f'{POST_INIT} "{human_role(env)}"',
    }
    method = env.get("CLONE_METHOD")
    if method == "CLONE_WITH_BASEBACKUP":
        section["method"] = "clone_with_basebackup"
        section["clone_with_basebackup"] = {"command": "/scripts/clone_with_basebackup.sh", **clone_source(env)}
    elif method:
        # An empty database under the name of a clone would be worse than none.
        section["method"] = "unsupported"
        section["unsupported"] = {"command": f"/scripts/unsupported.sh {method}", "no_params": True}
    return section


def clone_source(env):
    for name in ("CLONE_SCOPE", "CLONE_HOST", "CLONE_USER", "CLONE_PASSWORD"):
        if not env.get(name):
            raise Unusable(f"CLONE_METHOD is CLONE_WITH_BASEBACKUP, and {name} is not set")
    return {
        "pgpass": clone_pgpass_file(),
        "host": env["CLONE_HOST"],
        "port": env.get("CLONE_PORT") or "5432",
        "user": env["CLONE_USER"],
    }


def clone_pgpass_file():
    return f"{RUN_DIR}/patroni/clone.pgpass"


def clone_pgpass(env):
    """The password file for the source of a clone, or nothing."""
    if env.get("CLONE_METHOD") != "CLONE_WITH_BASEBACKUP":
        return None
    source = clone_source(env)
    fields = [source["host"], source["port"], "*", source["user"], env["CLONE_PASSWORD"]]
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields) + "\n"


def dynamic(env):
    """What Patroni keeps in its store, taken from here only when the cluster is made."""
    settings = {
        "ttl": 30,
        "loop_wait": 10,
        "retry_timeout": 10,
        "maximum_lag_on_failover": 33554432,
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                "archive_mode": "on",
                "archive_timeout": "1800s",
                "wal_level": "hot_standby",
                "wal_log_hints": "on",
                "wal_compression": "on",
                "max_wal_senders": 10,
                "max_connections": 100,
                "max_replication_slots": 10,
                "hot_standby": "on",
                "tcp_keepalives_idle": 900,
                "tcp_keepalives_interval": 100,
                "log_line_prefix": "%t [%p]: [%l-1] %c %x %d %u %a %h ",
                "log_lock_waits": "on",
                "log_min_duration_statement": 500,
                "log_statement": "ddl",
                "track_functions": "all",
            },
        },
    }
    if env.get("STANDBY_HOST"):
        source = {"create_replica_methods": ["basebackup_fast_xlog"], "host": env["STANDBY_HOST"]}
        if env.get("STANDBY_PORT"):
            source["port"] = env["STANDBY_PORT"]
        if env.get("STANDBY_PRIMARY_SLOT_NAME"):
            source["primary_slot_name"] = env["STANDBY_PRIMARY_SLOT_NAME"]
        settings["standby_cluster"] = source
    return settings


def postgresql(env, address, ssl):
    superuser = env.get("PGUSER_SUPERUSER") or "postgres"
    standby = env.get("PGUSER_STANDBY") or "standby"
    return {
        "listen": "*:5432",
        "connect_address": f"{address}:5432",
        "data_dir": data_dir(env),
        "pgpass": f"{RUN_DIR}/patroni/pgpass",
        "use_unix_socket": True,
        "use_unix_socket_repl": True,
        "authentication": {
            "superuser": {"username": superuser, "password": env["PGPASSWORD_SUPERUSER"]},
            "replication": {"username": standby, "password": env["PGPASSWORD_STANDBY"]},
        },
        "parameters": {
            "archive_command": "/bin/true",
            # Spilo takes a fifth of the machine's memory; many clusters share a test machine.
            "shared_buffers": "32MB",
            "shared_preload_libraries": "pg_stat_statements",
            "pg_stat_statements.track_utility": "off",
            **ssl,
        },
        "pg_hba": pg_hba(standby),
        "callbacks": {"on_role_change": f'{CALLBACK} "{human_role(env)}" "{superuser}"'},
        # With its slot made at once a replica need not wait for the leader's next round. The slot may be there already.
        # The second name is Spilo's, and the one that a standby cluster copies from a foreign leader with: no slot there.
        "create_replica_methods": ["basebackup_with_slot", "basebackup_fast_xlog"],
        "basebackup_with_slot": {"command": "/scripts/basebackup.sh", "slot": slot_name(env["HOSTNAME"])},
        "basebackup_fast_xlog": {"command": "/scripts/basebackup.sh"},
    }


def slot_name(member):
    """The slot that Patroni keeps for a member whose name is a pod's."""
    return member.replace("-", "_").replace(".", "_")[:63]


def pg_hba(standby):
    """As in Spilo, but for the lines that ask an OAuth2 server through PAM."""
    return [
        "local   all             all                                   trust",
        "host    all             all                127.0.0.1/32       md5",
        "host    all             all                ::1/128            md5",
        f"local   replication     {standby}                             trust",
        f"hostssl replication     {standby}          all                md5",
        "hostnossl all           all                all                reject",
        "hostssl all             all                all                md5",
    ]


def human_role(env):
    return env.get("HUMAN_ROLE") or "zalandos"


def data_dir(env):
    return env.get("PGDATA") or f"{env['PGROOT']}/data"


def host(address):
    return f"[{address}]" if ":" in address else address
