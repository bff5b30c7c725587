#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Everything that clients log in with, made by hand: nkeys, operator-mode
JWTs with their credentials files, and TLS certificates.

    make_logins.py FOLDER

writes to FOLDER:
  user.nk, other.nk          seeds; their public keys beside them (.pub)
  resolver.conf              an operator, a system account and an account
  user.creds, sys.creds      users of the account, the system account
  stranger.creds             a user of an account that nobody knows
  ca.pem, other-ca.pem       certificate authorities
  server.pem, server.key     for localhost and 127.0.0.1
  elsewhere.pem, .key        for elsewhere.example, by the same authority
  client.pem, client.key     a client's; stranger.pem, .key by the other one
  locked.key                 client.key with a passphrase

Nothing but the openssl command is needed.
"""
import base64
import json
import os
import subprocess
import sys

KINDS = {"U": 160, "A": 0, "O": 112}
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def openssl(*words, data=b""):
    return subprocess.run(["openssl", *words], input=data, check=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stdout


def with_sum(raw):
    """Base32 of some bytes and their CRC-16 (XMODEM)."""
    crc = 0
    for byte in raw:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xffff
    raw += crc.to_bytes(2, "little")
    return base64.b32encode(raw).decode().rstrip("=")


class Key:
    """An nkey of a kind: U, A or O."""

    def __init__(self, kind):
        raw, prefix = os.urandom(32), KINDS[kind]
        self.der = PKCS8 + raw
        public = openssl("pkey", "-inform", "DER", "-pubout", "-outform",
                         "DER", data=self.der)[-32:]
        self.public = with_sum(bytes([prefix]) + public)
        self.seed = with_sum(bytes([144 | prefix >> 5, (prefix & 31) << 3])
                             + raw)

    def sign(self, data):
        write("sign.der", self.der)
        write("sign.in", data)
        signed = openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER",
                         "-inkey", "sign.der", "-in", "sign.in")
        os.unlink("sign.der")
        os.unlink("sign.in")
        return signed


def write(name, what):
    with open(name, "wb", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(what if isinstance(what, bytes) else what.encode())


def base64url(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def jwt(issuer, subject, name, nats):
    parts = [{"typ": "JWT", "alg": "ed25519-nkey"},
             {"jti": name, "iat": 1700000000, "iss": issuer.public,
              "sub": subject.public, "name": name,
              "nats": {"version": 2, **nats}}]
    text = ".".join(base64url(json.dumps(p).encode()) for p in parts)
    return text + "." + base64url(issuer.sign(text.encode()))


def account_jwt(operator, account, name, jetstream):
    limits = dict.fromkeys(["subs", "data", "payload", "imports", "exports",
                            "conn", "leaf"], -1)
    limits["wildcards"] = True
    if jetstream:
        limits.update(dict.fromkeys(["mem_storage", "disk_storage", "streams",
                                     "consumer"], -1))
    return jwt(operator, account, name, {"type": "account", "limits": limits})


def creds(account, name):
    user = Key("U")
    text = jwt(account, user, name, {"type": "user", "subs": -1, "data": -1,
                                     "payload": -1})
    write(name + ".creds",
          "-----BEGIN NATS USER JWT-----\n" + text
          + "\n------END NATS USER JWT------\n\n"
          "************************* IMPORTANT *************************\n"
          "-----BEGIN USER NKEY SEED-----\n" + user.seed
          + "\n------END USER NKEY SEED------\n")


def make_nkeys():
    for name in ("user", "other"):
        key = Key("U")
        write(name + ".nk", key.seed + "\n")
        write(name + ".pub", key.public + "\n")


def make_creds():
    operator, system, account = Key("O"), Key("A"), Key("A")
    write("operator.jwt",
          jwt(operator, operator, "operator",
              {"type": "operator", "system_account": system.public}))
    write("resolver.conf",
          f'operator: "{os.getcwd()}/operator.jwt"\n'
          f"system_account: {system.public}\nresolver: MEMORY\n"
          "resolver_preload: {\n"
          f"  {system.public}: {account_jwt(operator, system, 'SYS', False)}\n"
          f"  {account.public}: {account_jwt(operator, account, 'A', True)}\n"
          "}\n")
    creds(account, "user")
    creds(system, "sys")
    creds(Key("A"), "stranger")


def authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")


def certificate(name, ca, names):
    write(name + ".ext", "subjectAltName=" + names + "\n")
    request = openssl("req", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      "/CN=" + name, "-keyout", name + ".key")
    write(name + ".pem",
          openssl("x509", "-req", "-days", "2", "-CA", ca + ".pem", "-CAkey",
                  ca + ".key", "-CAcreateserial", "-extfile", name + ".ext",
                  data=request))
    os.unlink(name + ".ext")


def make_certificates():
    authority("ca")
    authority("other-ca")
    certificate("server", "ca", "DNS:localhost,IP:127.0.0.1")
    certificate("elsewhere", "ca", "DNS:elsewhere.example")
    certificate("client", "ca", "DNS:client")
    certificate("stranger", "other-ca", "DNS:stranger")
    openssl("pkey", "-in", "client.key", "-aes128", "-passout", "pass:locked",
            "-out", "locked.key")


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    os.chdir(sys.argv[1])
    os.umask(0o077)
    make_nkeys()
    make_creds()
    make_certificates()


main()
