"""The environment of a pod on one side, what Patroni is told on the other. Run by `cargo test`; needs only Python."""

import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "scripts"))

from configuration import Installed, Unusable, build, clone_pgpass, merged  # noqa: E402

# As Zalando's operator sets it for its smallest manifest, in ConfigMap mode.
MINIMAL = {
    "HOSTNAME": "minimal-0",
    "SCOPE": "minimal",
    "PGROOT": "/home/postgres/pgdata/pgroot",
    "POD_IP": "10.0.0.7",
    "POD_NAMESPACE": "prod",
    "PGUSER_SUPERUSER": "postgres",
    "KUBERNETES_SCOPE_LABEL": "cluster-name",
    "KUBERNETES_ROLE_LABEL": "spilo-role",
    "PGPASSWORD_SUPERUSER": "secret",
    "PGUSER_STANDBY": "standby",
    "PGPASSWORD_STANDBY": "other secret",
    "PAM_OAUTH2": "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees",
    "HUMAN_ROLE": "zalandos",
    "PGVERSION": "17",
    "KUBERNETES_LABELS": '{"application":"spilo"}',
    "SPILO_CONFIGURATION": (
        '{"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],'
        '"dcs":{"failsafe_mode":false}}}'
    ),
    "DCS_ENABLE_KUBERNETES_API": "true",
    "KUBERNETES_BOOTSTRAP_LABELS": '{"critical-operation":"true"}',
    "KUBERNETES_USE_CONFIGMAPS": "true",
}
SSL = {"ssl": "on", "ssl_cert_file": "/run/certs/server.crt"}
CLONE = {
    "CLONE_METHOD": "CLONE_WITH_BASEBACKUP",
    "CLONE_SCOPE": "source",
    "CLONE_HOST": "source",
    "CLONE_PORT": "5432",
    "CLONE_USER": "standby",
    "CLONE_PASSWORD": "with:colon\\",
}


def configured(data_version=None, libraries=("pg_stat_statements",), without=(), **changes):
    env = {name: value for name, value in {**MINIMAL, **changes}.items() if name not in without}
    installed = Installed(["15", "17"], lambda _, name: name in libraries, data_version)
    return build(env, installed, SSL)


def spilo(**sections):
    return json.dumps(sections)


class Store(unittest.TestCase):
    def test_config_maps(self):
        store = configured()["kubernetes"]
        self.assertEqual(store["labels"], {"application": "spilo"})
        self.assertEqual(store["bootstrap_labels"], {"critical-operation": "true"})
        self.assertEqual((store["scope_label"], store["role_label"]), ("cluster-name", "spilo-role"))
        self.assertNotIn("use_endpoints", store)

    def test_endpoints(self):
        store = configured(without=["KUBERNETES_USE_CONFIGMAPS"])["kubernetes"]
        self.assertIs(store["use_endpoints"], True)
        self.assertEqual(store["pod_ip"], "10.0.0.7")
        self.assertEqual(store["ports"], [{"port": 5432, "name": "postgresql"}])

    def test_leaders_of_both_kinds_are_labelled_master(self):
        store = configured()["kubernetes"]
        self.assertEqual((store["leader_label_value"], store["standby_leader_label_value"]), ("master", "master"))

    def test_labels_that_are_no_json_are_spilos(self):
        self.assertEqual(configured(KUBERNETES_LABELS="x")["kubernetes"]["labels"], {"application": "spilo"})

    def test_another_store_is_refused(self):
        with self.assertRaises(Unusable):
            configured(without=["DCS_ENABLE_KUBERNETES_API"])


class Addresses(unittest.TestCase):
    def test_the_pods_own(self):
        config = configured()
        self.assertEqual((config["scope"], config["name"], config["namespace"]), ("minimal", "minimal-0", "prod"))
        self.assertEqual(config["restapi"]["connect_address"], "10.0.0.7:8008")
        self.assertEqual(config["postgresql"]["connect_address"], "10.0.0.7:5432")

    def test_version_6_is_bracketed(self):
        self.assertEqual(configured(POD_IP="fd00::7")["restapi"]["connect_address"], "[fd00::7]:8008")


class Merge(unittest.TestCase):
    def test_objects_merge_lists_replace_and_null_gives_way(self):
        image = {"a": {"x": 1, "y": 2}, "list": [1, 2], "kept": 5}
        self.assertEqual(
            merged({"a": {"y": 3, "z": 4}, "list": [9], "kept": None, "new": 6}, image),
            {"a": {"x": 1, "y": 3, "z": 4}, "list": [9], "kept": 5, "new": 6},
        )

    def test_initdb_of_the_operator_replaces_the_images(self):
        bootstrap = configured()["bootstrap"]
        self.assertEqual(bootstrap["initdb"], [{"auth-host": "scram-sha-256"}, {"auth-local": "trust"}])
        self.assertIs(bootstrap["dcs"]["failsafe_mode"], False)
        self.assertEqual(bootstrap["dcs"]["ttl"], 30)

    def test_without_a_configuration_the_image_decides(self):
        config = configured(without=["SPILO_CONFIGURATION"])
        self.assertIn("data-checksums", config["bootstrap"]["initdb"])
        self.assertEqual(config["bootstrap"]["dcs"]["postgresql"]["parameters"]["max_connections"], 100)

    def test_parameters_and_pg_hba_of_the_manifest_win(self):
        given = spilo(
            postgresql={"parameters": {"shared_buffers": "1GB"}, "pg_hba": ["local all all trust"]},
            bootstrap={"dcs": {"postgresql": {"parameters": {"max_connections": "150"}}}},
        )
        config = configured(SPILO_CONFIGURATION=given)
        self.assertEqual(config["postgresql"]["parameters"]["shared_buffers"], "1GB")
        self.assertEqual(config["postgresql"]["parameters"]["ssl"], "on")
        self.assertEqual(config["postgresql"]["pg_hba"], ["local all all trust"])
        dynamic = config["bootstrap"]["dcs"]["postgresql"]["parameters"]
        self.assertEqual((dynamic["max_connections"], dynamic["wal_level"]), ("150", "hot_standby"))

    def test_a_configuration_that_is_no_object_is_refused(self):
        with self.assertRaises(Unusable):
            configured(SPILO_CONFIGURATION="[1]")


class Version(unittest.TestCase):
    def bin_dir(self, **changes):
        return configured(**changes)["postgresql"]["bin_dir"]

    def test_the_wanted_one(self):
        self.assertEqual(self.bin_dir(PGVERSION="15"), "/usr/lib/postgresql/15/bin")

    def test_the_newest_when_the_wanted_one_is_missing(self):
        self.assertEqual(self.bin_dir(PGVERSION="16"), "/usr/lib/postgresql/17/bin")
        self.assertEqual(self.bin_dir(without=["PGVERSION"]), "/usr/lib/postgresql/17/bin")

    def test_bin_dir_of_the_configuration_wins_over_the_wanted_one(self):
        given = spilo(postgresql={"bin_dir": "/usr/lib/postgresql/15/bin"})
        self.assertEqual(self.bin_dir(SPILO_CONFIGURATION=given), "/usr/lib/postgresql/15/bin")

    def test_older_data_keep_their_version(self):
        given = spilo(postgresql={"bin_dir": "/usr/lib/postgresql/17/bin"})
        self.assertEqual(self.bin_dir(data_version="15", SPILO_CONFIGURATION=given), "/usr/lib/postgresql/15/bin")

    def test_libraries_that_are_not_installed_are_left_out(self):
        given = spilo(postgresql={"parameters": {"shared_preload_libraries": "bg_mon, pg_stat_statements,set_user"}})
        parameters = configured(SPILO_CONFIGURATION=given)["postgresql"]["parameters"]
        self.assertEqual(parameters["shared_preload_libraries"], "pg_stat_statements")


class Access(unittest.TestCase):
    def test_rules_are_spilos(self):
        rules = [rule.split() for rule in configured(PGUSER_STANDBY="copier")["postgresql"]["pg_hba"]]
        self.assertEqual(rules[0], ["local", "all", "all", "trust"])
        self.assertIn(["hostssl", "replication", "copier", "all", "md5"], rules)
        self.assertLess(rules.index(["hostnossl", "all", "all", "all", "reject"]), len(rules) - 1)
        self.assertEqual(rules[-1], ["hostssl", "all", "all", "all", "md5"])

    def test_roles_are_those_of_the_secrets(self):
        users = configured(PGUSER_SUPERUSER="root_user")["postgresql"]["authentication"]
        self.assertEqual(users["superuser"], {"username": "root_user", "password": "secret"})
        self.assertEqual(users["replication"], {"username": "standby", "password": "other secret"})

    def test_a_missing_password_is_named(self):
        with self.assertRaisesRegex(KeyError, "PGPASSWORD_STANDBY"):
            configured(without=["PGPASSWORD_STANDBY"])


class Origin(unittest.TestCase):
    def test_a_new_cluster_runs_initdb(self):
        self.assertNotIn("method", configured()["bootstrap"])
        self.assertNotIn("standby_cluster", configured()["bootstrap"]["dcs"])
        self.assertIsNone(clone_pgpass(MINIMAL))

    def test_a_clone_copies_from_its_source(self):
        bootstrap = configured(**CLONE)["bootstrap"]
        self.assertEqual(bootstrap["method"], "clone_with_basebackup")
        source = bootstrap["clone_with_basebackup"]
        self.assertEqual((source["host"], source["port"], source["user"]), ("source", "5432", "standby"))
        self.assertNotIn(CLONE["CLONE_PASSWORD"], json.dumps(bootstrap))
        self.assertEqual(clone_pgpass(CLONE), "source:5432:*:standby:with\\:colon\\\\\n")

    def test_a_clone_without_a_password_is_refused(self):
        with self.assertRaisesRegex(Unusable, "CLONE_PASSWORD"):
            configured(**{**CLONE, "CLONE_PASSWORD": ""})

    def test_a_clone_from_an_archive_fails_rather_than_making_an_empty_cluster(self):
        bootstrap = configured(CLONE_METHOD="CLONE_WITH_WALE")["bootstrap"]
        self.assertIn("unsupported.sh CLONE_WITH_WALE", bootstrap[bootstrap["method"]]["command"])

    def test_a_standby_cluster_follows_its_source(self):
        dynamic = configured(STANDBY_HOST="main", STANDBY_PORT="5433", STANDBY_PRIMARY_SLOT_NAME="s")["bootstrap"]["dcs"]
        self.assertEqual(
            dynamic["standby_cluster"],
            {
                "create_replica_methods": ["basebackup_fast_xlog"],
                "host": "main",
                "port": "5433",
                "primary_slot_name": "s",
            },
        )

    def test_a_replica_makes_the_slot_that_patroni_keeps_for_it(self):
        postgresql = configured(HOSTNAME="a-b.c-0")["postgresql"]
        self.assertEqual(postgresql["create_replica_methods"], ["basebackup_with_slot", "basebackup_fast_xlog"])
        self.assertEqual(postgresql["basebackup_with_slot"]["slot"], "a_b_c_0")
        self.assertNotIn("slot", postgresql["basebackup_fast_xlog"])


if __name__ == "__main__":
    unittest.main()
