"""Certificates for tests, made by openssl when they are needed."""

import os
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(folder, name):
    """A CA: its certificate, and a function that makes a certificate and key (PEM, PKCS#8)."""
    ca, key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN={name}", "-keyout", key, "-out", ca)

    def issue(subject, hosts=""):
        base = os.path.join(folder, f"{name}-{subject}")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}", "-keyout", base + ".key",
                "-out", base + ".csr")
        with open(base + ".ext", "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={hosts}\n" if hosts else "basicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "30",
                "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"

    return ca, issue
