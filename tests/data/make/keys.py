"""Writes tests/data/keys: key files by OpenSSL and by Python's cryptography, all under one passphrase, and what
securesystemslib calls them: `python keys.py`, with `openssl` on the path.
"""

import json
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner

OUT = Path(__file__).resolve().parents[1] / "keys"
PASSPHRASE = "only a test"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout


def by_openssl(name, *key):
    plain = openssl("genpkey", *key)
    scrypt = "-scrypt" if "scrypt" in name else "-v2"
    cipher = [] if scrypt == "-scrypt" else ["aes-256-cbc"]
    (OUT / name).write_bytes(openssl("pkcs8", "-topk8", scrypt, *cipher, "-passout", f"pass:{PASSPHRASE}", data=plain))


def by_cryptography(name, key):
    encrypted = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted
    (OUT / name).write_bytes(key.private_bytes(*form))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    p256 = "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"
    by_openssl("openssl-scrypt-ed25519.pem", "-algorithm", "ed25519")
    by_openssl("openssl-pbkdf2-p256.pem", *p256)
    by_openssl("openssl-scrypt-p256.pem", *p256)
    by_cryptography("cryptography-ed25519.pem", Ed25519PrivateKey.generate())
    by_cryptography("cryptography-p256.pem", generate_private_key(SECP256R1()))
    by_openssl("another-kind-rsa.pem", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    facts = {}
    for path in sorted(OUT.glob("*.pem")):
        key = serialization.load_pem_private_key(path.read_bytes(), PASSPHRASE.encode())
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        facts[path.stem] = {"public": public.decode(), "key": CryptoSigner(key).public_key.to_dict(),
                            "keyid": CryptoSigner(key).public_key.keyid}
    (OUT / "keys.json").write_text(json.dumps(facts, indent=1) + "\n")
