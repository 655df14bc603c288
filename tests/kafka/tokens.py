"""A token endpoint for tests: OAuth client credentials and the JWT-bearer grant over HTTPS, tokens signed with RS256."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading
import time
import urllib.parse

AUDIENCE, ENDPOINT_AUDIENCE = "rkafka-test", "the-endpoint"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args, data=None):
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def asn1(signature):
    """An ECDSA signature of JWS, two numbers, as openssl wants it."""
    def number(raw):
        raw = raw.lstrip(b"\0") or b"\0"
        raw = b"\0" + raw if raw[0] & 0x80 else raw
        return bytes([2, len(raw)]) + raw

    body = number(signature[:32]) + number(signature[32:])
    return bytes([0x30, len(body)]) + body


class TokenEndpoint:
    """At `url`. `keys`: files with the public keys that assertions may be signed with, RSA or P-256. Its own public key is in
    the file `jwks`, for the broker."""

    def __init__(self, folder, certificate, key, signing_key, client, secret, keys):
        self.folder, self.signing_key, self.client, self.secret, self.keys = folder, signing_key, client, secret, keys
        modulus = openssl("rsa", "-in", signing_key, "-noout", "-modulus").decode().strip().split("=")[1]
        self.jwks = os.path.join(folder, "jwks.json")
        with open(self.jwks, "w", encoding="utf-8") as f:
            json.dump({"keys": [{"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "e": "AQAB",
                                 "n": b64(bytes.fromhex(modulus))}]}, f)
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                status, answer = endpoint.answer(form, self.headers.get("Authorization", ""))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{server.server_address[1]}/token"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, form, authorization):
        if form.get("grant_type") == "client_credentials":
            wanted = "Basic " + base64.b64encode(f"{self.client}:{self.secret}".encode()).decode()
            if authorization != wanted:
                return 401, {"error": "invalid_client"}
        elif form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            why = self.wrong_with(form.get("assertion", ""))
            if why:
                return 400, {"error": "invalid_grant", "error_description": why}
        else:
            return 400, {"error": "unsupported_grant_type"}
        return 200, {"access_token": self.token(form.get("scope") or AUDIENCE), "token_type": "Bearer", "expires_in": 300}

    def wrong_with(self, assertion):
        """What speaks against an assertion, or None."""
        header, claims, signature = assertion.split(".")
        raw = unb64(signature)
        algorithm = json.loads(unb64(header))["alg"]
        path = os.path.join(self.folder, f"signature-{threading.get_ident()}")
        with open(path, "wb") as f:
            f.write(asn1(raw) if algorithm == "ES256" else raw)
        signed = f"{header}.{claims}".encode()
        if not any(openssl("dgst", "-sha256", "-verify", k, "-signature", path, data=signed) for k in self.keys):
            return "signed by nobody known"
        claims = json.loads(unb64(claims))
        if claims.get("aud") != ENDPOINT_AUDIENCE or not claims["nbf"] <= time.time() < claims["exp"]:
            return "for another audience or time"
        return None

    def token(self, audience):
        now = int(time.time())
        claims = {"iss": "test", "sub": "alice", "aud": audience, "iat": now, "exp": now + 300, "scope": "produce"}
        signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims))
        return f"{signed}.{b64(openssl('dgst', '-sha256', '-sign', self.signing_key, data=signed.encode()))}"
