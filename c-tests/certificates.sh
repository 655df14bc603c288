#!/bin/sh
# Certificates for 039-tls.c: a CA, two brokers' by it, and a CA that has signed neither.
#   certificates.sh FOLDER
set -eu
command -v openssl >/dev/null 2>&1 || { echo "SKIPPED: TLS from C: openssl is not on this machine"; exit 0; }
mkdir -p "$1"
cd "$1"
ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem"
}
issue() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    echo "subjectAltName=$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem"
}
{ ca ca && ca other && issue broker IP:127.0.0.1 && issue elsewhere DNS:elsewhere.example; } >openssl.log 2>&1 ||
    { cat openssl.log; exit 1; }
