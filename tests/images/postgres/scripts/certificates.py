"""The server's certificate: the one that is mounted, or one signed by itself, where only Postgres can read it."""

import hashlib
import os
import subprocess

DIRECTORY = "/run/certs"
#: The variable that names the source, the file that Postgres is given, the parameter that names it.
GIVEN = (
    ("SSL_CERTIFICATE_FILE", "server.crt", "ssl_cert_file"),
    ("SSL_PRIVATE_KEY_FILE", "server.key", "ssl_key_file"),
    ("SSL_CA_FILE", "ca.crt", "ssl_ca_file"),
    ("SSL_CRL_FILE", "server.crl", "ssl_crl_file"),
)


class Certificates:
    """Keeps the copies in step with their sources."""

    def __init__(self, env, own):
        """`own` makes a path belong to the user that Postgres runs as."""
        self.own = own
        self.sources = {}
        if env.get("SSL_CERTIFICATE_FILE") and env.get("SSL_PRIVATE_KEY_FILE"):
            self.sources = {target: env[name] for name, target, _ in GIVEN if env.get(name)}
        self.seen = None

    def install(self, name):
        """Puts the certificate in place; `name` is the subject of one signed by ourselves. Returns Postgres' parameters."""
        os.makedirs(DIRECTORY, mode=0o755, exist_ok=True)
        if self.sources:
            self.seen = self.copy()
        else:
            self.sign(name)
        present = {parameter: f"{DIRECTORY}/{target}" for _, target, parameter in GIVEN}
        return {"ssl": "on", **{key: path for key, path in present.items() if os.path.exists(path)}}

    def refresh(self):
        """Copies again if a source changed; tells whether it did."""
        if not self.sources or self.hash() == self.seen:
            return False
        self.seen = self.copy()
        return True

    def copy(self):
        seen = self.hash()
        for target, source in self.sources.items():
            with open(source, "rb") as file:
                self.write(target, file.read())
        return seen

    def hash(self):
        digest = hashlib.sha256()
        for source in self.sources.values():
            with open(source, "rb") as file:
                digest.update(file.read())
        return digest.digest()

    def write(self, target, content):
        part = f"{DIRECTORY}/.{target}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self.own(part)
        os.rename(part, f"{DIRECTORY}/{target}")

    def sign(self, name):
        key, certificate = f"{DIRECTORY}/server.key", f"{DIRECTORY}/server.crt"
        command = ["openssl", "req", "-x509", "-nodes", "-days", "3650", "-subj", f"/CN={name}"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key, "-out", certificate]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o600)
        self.own(key)
        self.own(certificate)
