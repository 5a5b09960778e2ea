#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of ETSI GS QKD 014 V1.1.1, and a conformance test of a pair of KMEs.

Written from the text of the standard only, with Python's standard library: it shares no code, no
constants and no authors' assumptions with the server. Tests are named E14-01 ... E14-18; what the
standard leaves open is marked "ours" where a test looks at it. Prints one line per check and exits
1 if one failed.

  etsi014_client.py --ca CA.pem --master ID:CERT:KEY --slave ID:CERT:KEY [--third ID:CERT:KEY]
      [--odd ID:CERT:KEY] [--also ID:CERT:KEY --also-kme HOST:PORT] [--bad CERT:KEY]...
      [--master-kme HOST:PORT] [--slave-kme HOST:PORT]
      [--exact] [--must-401] [--wait SECONDS] [--only E14-08,...]

--third: an SAE that no key is for.  --odd: an SAE with reserved characters in its ID, a partner of
the master.  --also: a further slave of the master, which may get the same keys as the slave.  --bad: certificates that must not be served.  --exact: nobody else takes or makes keys
meanwhile, so counts must be exact.  --must-401: who shows no good certificate must be told so; else
its connection may also break.  --wait: at most so long for key to be there.
"""
import argparse
import base64
import http.client
import json
import re
import socket
import ssl
import sys
import time
import urllib.parse
import uuid
import warnings

warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.1, which is tried on purpose

NOT_FOUND = "one or more keys specified are not found on KME"
NOT_MULTIPLE = "size shall be a multiple of 8"
NOT_MANDATORY = "not all extension_mandatory parameters are supported"
NONSENSE_ID = "00000000-0000-4000-8000-0000000000ff"

FAILED = []
PASSED = 0


def check(test, what, good, seen=""):
    global PASSED
    if good:
        PASSED += 1
        print(f"ok   {test} {what}")
    else:
        FAILED.append(f"{test} {what}")
        print(f"FAIL {test} {what}: {seen!r}")


class Answer:
    def __init__(self, response):
        self.code = response.status
        self.type = response.getheader("Content-Type")
        self.allow = response.getheader("Allow")
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body.decode("utf-8"))

    @property
    def message(self):
        try:
            return self.json.get("message")
        except ValueError:
            return None

    def __repr__(self):
        return f"{self.code} {self.body[:200]!r}"


class Sae:
    """An SAE with its certificate, at its KME; keeps its connection alive."""

    def __init__(self, text, ca, kme):
        self.id, self.cert, self.key = split_sae(text)
        self.ca = ca
        self.host, port = kme.rsplit(":", 1)
        self.port = int(port)
        self.connection = None
        self.opened = 0

    def context(self, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3, certificate=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca)
        context.minimum_version = low
        context.maximum_version = high
        if certificate:
            context.load_cert_chain(self.cert, self.key)
        return context

    def open(self, **options):
        return http.client.HTTPSConnection(self.host, self.port, timeout=20,
                                           context=self.context(**options))

    def ask(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = self.open()
            self.opened += 1
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        given = {} if body is None else {"Content-Type": "application/json"}
        given.update(headers or {})
        try:
            self.connection.request(method, path, body=body, headers=given)
            answer = Answer(self.connection.getresponse())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
        return answer

    def url(self, other, what, query=""):
        quoted = urllib.parse.quote(other, safe="")
        return f"/api/v1/keys/{quoted}/{what}{query}"

    def status(self, slave):
        return self.ask("GET", self.url(slave, "status"))

    def get(self, slave, query=""):
        return self.ask("GET", self.url(slave, "enc_keys", query))

    def post(self, slave, body=None, headers=None):
        return self.ask("POST", self.url(slave, "enc_keys"), body, headers)

    def fetch(self, master, ids):
        body = {"key_IDs": [{"key_ID": i} for i in ids]}
        return self.ask("POST", self.url(master, "dec_keys"), body)

    def fetch_one(self, master, key_id):
        return self.ask("GET", self.url(master, "dec_keys", f"?key_ID={key_id}"))


def split_sae(text):
    sae, cert, key = text.rsplit(":", 2)
    return sae, cert, key


def keys_of(answer):
    """{key_ID: bytes} of a key container, or None if it is not one of Table 11."""
    try:
        keys = {}
        for entry in answer.json["keys"]:
            if not re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", entry["key_ID"]):
                return None
            uuid.UUID(entry["key_ID"])
            keys[entry["key_ID"]] = base64.b64decode(entry["key"], validate=True)
            if base64.b64encode(keys[entry["key_ID"]]).decode() != entry["key"]:
                return None
        return keys
    except (ValueError, KeyError, TypeError):
        return None


def patient(ask):
    """The answer to a Get key that must be served in the end: 503 is for the moment (Table 6)."""
    for _ in range(40):
        answer = ask()
        if answer.code != 503:
            break
        print(f"note told to wait: {answer}")
        time.sleep(0.5)
    return answer


def ids_of(answer):
    return [entry["key_ID"] for entry in answer.json["keys"]]


class Tests:
    def __init__(self, options):
        self.o = options
        self.master = Sae(options.master, options.ca, options.master_kme)
        self.slave = Sae(options.slave, options.ca, options.slave_kme)
        self.third = Sae(options.third, options.ca, options.slave_kme) if options.third else None
        self.also = Sae(options.also, options.ca, options.also_kme) if options.also else None
        self.odd = Sae(options.odd, options.ca, options.slave_kme) if options.odd else None
        end = time.monotonic() + options.wait
        for master, slave in ((self.slave, self.master), (self.master, self.slave)):
            self.table = master.status(slave.id).json
            while (self.table["stored_key_count"] < 3 * self.table["max_key_per_request"]
                   and time.monotonic() < end):
                time.sleep(0.5)
                self.table = master.status(slave.id).json

    def supply(self, number=1, size=None, swapped=False):
        master, slave = (self.slave, self.master) if swapped else (self.master, self.slave)
        body = {"number": number}
        if size is not None:
            body["size"] = size
        return patient(lambda: master.post(slave.id, body))

    # ---- transport and identity ----

    def e14_01(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            connection = self.master.open(low=version, high=version)
            connection.request("GET", self.master.url(self.slave.id, "status"))
            code = connection.getresponse().status
            check("E14-01", f"{name} is accepted", code == 200 and connection.sock.version() == name,
                  (code, connection.sock.version()))
            connection.close()
        context = self.master.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            with socket.create_connection((self.master.host, self.master.port), 10) as plain:
                context.wrap_socket(plain, server_hostname=self.master.host)
            check("E14-01", "TLSv1.1 is refused", False)
        except ssl.SSLError as error:
            asked = "NO_PROTOCOLS" not in str(error)  # else it was this side that would not
            check("E14-01", "TLSv1.1 is refused", asked, str(error))

    def refused(self, name, make):
        try:
            connection = make()
            connection.request("GET", self.master.url(self.slave.id, "status"))
            answer = Answer(connection.getresponse())
            check("E14-02", f"{name}: 401 without body", answer.code == 401 and answer.body == b"", answer)
        except (OSError, http.client.HTTPException) as error:
            check("E14-02", f"{name}: no data (a broken connection)", not self.o.must_401, str(error))

    def e14_02(self):
        check("E14-02", "a certificate is served", self.master.status(self.slave.id).code == 200)
        self.refused("no client certificate", lambda: self.master.open(certificate=False))
        for text in self.o.bad:
            cert, key = text.rsplit(":", 1)
            bad = Sae(f"x:{cert}:{key}", self.o.ca, self.o.master_kme)
            self.refused(cert.rsplit("/", 1)[-1], bad.open)
        try:
            plain = http.client.HTTPConnection(self.master.host, self.master.port, timeout=10)
            plain.request("GET", self.master.url(self.slave.id, "status"))
            code = plain.getresponse().status
            check("E14-02", "plain HTTP: no data", code != 200, code)
        except (OSError, http.client.HTTPException):
            check("E14-02", "plain HTTP: no data", True)

    # ---- forms ----

    def e14_03(self):
        size = self.table["min_key_size"]
        forms = (("GET", lambda: self.master.get(self.slave.id, f"?number=2&size={size}")),
                 ("POST", lambda: self.master.post(self.slave.id, {"number": 2, "size": size})))
        for name, ask in forms:
            keys = keys_of(patient(ask))
            good = keys is not None and [8 * len(k) for k in keys.values()] == [size, size]
            check("E14-03", f"enc_keys by {name}", good, keys and len(keys))
        for name in ("GET", "POST"):
            made = self.supply()
            one = ids_of(made)[0]
            got = (self.slave.fetch_one(self.master.id, one) if name == "GET"
                   else self.slave.fetch(self.master.id, [one]))
            check("E14-03", f"dec_keys by {name}", keys_of(got) == keys_of(made), got)
        for query in ("?number=0", "?number=x", "?size=257", "?nonsense=1",
                      "?additional_slave_SAE_IDs=x"):
            answer = self.master.get(self.slave.id, query)
            check("E14-03", f"GET enc_keys{query} is 400", answer.code == 400, answer)
        for query in ("", "?key_ID=", "?key_ID=x", "?key_IDs=" + NONSENSE_ID,
                      f"?key_ID={NONSENSE_ID}&key_ID={NONSENSE_ID}"):
            answer = self.slave.ask("GET", self.slave.url(self.master.id, "dec_keys", query))
            check("E14-03", f"GET dec_keys{query[:12]} is 400", answer.code == 400, answer)

    def e14_04(self):
        size = self.table["key_size"]
        forms = (("GET", lambda: self.master.get(self.slave.id)),
                 ("POST {}", lambda: self.master.post(self.slave.id, {})),
                 ("POST without body", lambda: self.master.post(self.slave.id)),
                 ("POST []-items", lambda: self.master.post(self.slave.id, {
                     "additional_slave_SAE_IDs": [], "extension_mandatory": [],
                     "extension_optional": []})),
                 ("POST with unknown member", lambda: self.master.post(self.slave.id, {"zzz": [1]})),
                 ("POST, any Accept and type", lambda: self.master.post(
                     self.slave.id, "{}", {"Accept": "text/html", "Content-Type": "text/plain"})))
        for name, ask in forms:
            answer = patient(ask)
            keys = keys_of(answer)
            good = answer.code == 200 and keys is not None and [
                8 * len(k) for k in keys.values()] == [size]
            check("E14-04", f"{name}: one key of key_size", good, answer.code)
        for body in ("[]", "{", "\"x\"", "{\"number\":\"1\"}", "\xff", "{}{}", "nonsense"):
            answer = self.master.post(self.slave.id, body.encode("latin-1"))
            check("E14-04", f"body {body!r} is 400", answer.code == 400 and answer.message, answer)

    # ---- limits ----

    def e14_05(self):
        most = self.table["max_key_per_request"]
        size = self.table["min_key_size"]
        answer = self.supply(most, size)
        keys = keys_of(answer)
        check("E14-05", f"number {most}", answer.code == 200 and len(keys or ()) == most, answer.code)
        got = self.slave.fetch(self.master.id, ids_of(answer)) if answer.code == 200 else answer
        check("E14-05", f"{most} by ID at once", keys_of(got) == keys, got.code)
        for number in (most + 1, 0, -1):
            answer = self.master.post(self.slave.id, {"number": number})
            check("E14-05", f"number {number} is 400",
                  answer.code == 400 and "number" in (answer.message or ""), answer)

    def e14_06(self):
        low, high = self.table["min_key_size"], self.table["max_key_size"]
        for size in (low, high):
            answer = self.supply(1, size)
            keys = keys_of(answer)
            check("E14-06", f"size {size}",
                  keys is not None and [8 * len(k) for k in keys.values()] == [size], answer.code)
        for size in (low - 8, high + 8):
            answer = self.master.post(self.slave.id, {"size": size})
            check("E14-06", f"size {size} is 400",
                  answer.code == 400 and "size" in (answer.message or ""), answer)

    def e14_07(self):
        answer = self.supply(1, 256)
        check("E14-07", "size 256", answer.code == 200, answer.code)
        answer = self.master.post(self.slave.id, {"size": 257})
        check("E14-07", "size 257 is 400 with the exact message",
              answer.code == 400 and answer.message == NOT_MULTIPLE, answer)

    # ---- what keys do ----

    def e14_08(self):
        wanted = {"source_KME_ID": str, "target_KME_ID": str, "master_SAE_ID": str,
                  "slave_SAE_ID": str, "key_size": int, "stored_key_count": int,
                  "max_key_count": int, "max_key_per_request": int, "max_key_size": int,
                  "min_key_size": int, "max_SAE_ID_count": int}
        table = self.master.status(self.slave.id).json
        good = all(type(table.get(name)) is kind for name, kind in wanted.items())
        check("E14-08", "status has all items of Table 9", good, table)
        check("E14-08", "master_SAE_ID is who asks, slave_SAE_ID whom it names",
              (table["master_SAE_ID"], table["slave_SAE_ID"]) == (self.master.id, self.slave.id), table)
        check("E14-08", "stored_key_count is at most max_key_count",
              0 <= table["stored_key_count"] <= table["max_key_count"], table)
        if not self.o.exact:
            return
        before = table["stored_key_count"]
        self.supply(3)
        after = self.master.status(self.slave.id).json["stored_key_count"]
        check("E14-08", "stored_key_count falls by number", after == before - 3, (before, after))
        self.master.post(self.slave.id, {"number": 0})
        again = self.master.status(self.slave.id).json["stored_key_count"]
        check("E14-08", "a refused request takes none", again == after, (after, again))

    def e14_09(self):
        made = self.supply(2)
        ids = ids_of(made)
        first = self.slave.fetch(self.master.id, ids[:1])
        check("E14-09", "an ID is served", first.code == 200, first)
        for name, again in (("POST", self.slave.fetch(self.master.id, ids[:1])),
                            ("GET", self.slave.fetch_one(self.master.id, ids[0])),
                            ("with another", self.slave.fetch(self.master.id, ids))):
            check("E14-09", f"the same ID again by {name} is 400 with the exact message",
                  again.code == 400 and again.message == NOT_FOUND, again)
        twice = self.slave.fetch(self.master.id, [ids[1], ids[1]])
        check("E14-09", "an ID twice in one request is 400 (ours)", twice.code == 400, twice)
        last = self.slave.fetch(self.master.id, ids[1:])
        check("E14-09", "and leaves the key there", last.code == 200, last)

    def e14_10(self):
        if self.third is None:
            return
        made = self.supply()
        for name, answer in (("POST", self.third.fetch(self.master.id, ids_of(made))),
                             ("GET", self.third.fetch_one(self.master.id, ids_of(made)[0]))):
            check("E14-10", f"another SAE by {name}: 401 without body",
                  answer.code == 401 and answer.body == b"", answer)
        got = self.slave.fetch(self.master.id, ids_of(made))
        check("E14-10", "the right slave still gets the key", keys_of(got) == keys_of(made), got)

    def e14_11(self):
        made = self.supply(2)
        ids = ids_of(made)
        for mixed in ([ids[0], NONSENSE_ID], [NONSENSE_ID, ids[0], ids[1]]):
            answer = self.slave.fetch(self.master.id, mixed)
            check("E14-11", "good and bad IDs: 400 with the exact message",
                  answer.code == 400 and answer.message == NOT_FOUND, answer)
        got = self.slave.fetch(self.master.id, ids)
        check("E14-11", "the good ones were not removed", keys_of(got) == keys_of(made), got)

    def e14_12(self):
        most = self.table["max_SAE_ID_count"]
        if self.also:
            self.several(most)
        else:
            check("E14-12", "max_SAE_ID_count is 0: no further slave of this master", most == 0, most)
        answer = self.master.post(self.slave.id, {"additional_slave_SAE_IDs": ["x"]})
        check("E14-12", "one additional slave is 400", answer.code == 400 and answer.message, answer)

    def several(self, most):
        check("E14-12", "max_SAE_ID_count counts the further slave", most >= 1, most)
        body = {"number": 3, "additional_slave_SAE_IDs": [self.also.id]}
        made = patient(lambda: self.master.post(self.slave.id, body))
        keys = keys_of(made)
        check("E14-12", "the master gets keys for both", made.code == 200 and len(keys) == 3, made)
        for sae in (self.slave, self.also):
            got = sae.fetch(self.master.id, list(keys))
            check("E14-12", f"{sae.id} gets the same keys by the same IDs", keys_of(got) == keys, got)
            again = sae.fetch(self.master.id, list(keys))
            check("E14-12", f"{sae.id} gets them once", again.code == 400, again)
        alone = patient(lambda: self.master.post(self.slave.id, {"number": 1}))
        got = self.also.fetch(self.master.id, ids_of(alone))
        check("E14-12", "a key for the slave alone is not the further slave's", got.code in (400, 401),
              got)
        for wrong in ([self.also.id] * 2, [self.slave.id], [f"x{i}" for i in range(most + 20)], [""]):
            answer = self.master.post(self.slave.id, {"additional_slave_SAE_IDs": wrong})
            check("E14-12", f"{len(wrong)} slaves that cannot be: 400", answer.code == 400, answer)

    def e14_13(self):
        before = self.master.status(self.slave.id).json["stored_key_count"]
        answer = self.master.post(self.slave.id,
                                  {"extension_mandatory": [{"abc_route_type": "direct"}]})
        check("E14-13", "an unknown mandatory extension is 400 with the exact message",
              answer.code == 400 and answer.message == NOT_MANDATORY, answer)
        details = answer.json.get("details") if answer.code == 400 else None
        check("E14-13", "details are an array of objects",
              isinstance(details, list) and all(isinstance(d, dict) for d in details), details)
        if self.o.exact:
            after = self.master.status(self.slave.id).json["stored_key_count"]
            check("E14-13", "no key is removed", before == after, (before, after))

    def e14_14(self):
        body = {"extension_optional": [{"abc_route_type": "direct"}]}
        answer = patient(lambda: self.master.post(self.slave.id, body))
        check("E14-14", "an optional extension is ignored", answer.code == 200, answer.code)
        answer = self.master.post(self.slave.id, {"extension_optional": "abc"})
        check("E14-14", "one that is no array is 400", answer.code == 400, answer)

    def e14_15(self):
        seen = set()
        for size in (self.table["min_key_size"], 256, self.table["max_key_size"]):
            made = keys_of(self.supply(2, size))
            got = keys_of(self.slave.fetch(self.master.id, list(made)))
            check("E14-15", f"size {size}: master and slave have the same bytes",
                  made is not None and made == got and
                  all(len(k) == (size + 7) // 8 for k in made.values()))
            check("E14-15", f"size {size}: no key or ID twice",
                  not (set(made) | set(made.values())) & seen and len(set(made.values())) == 2)
            seen |= set(made) | set(made.values())
        back = self.supply(2, swapped=True)
        got = self.master.fetch(self.slave.id, ids_of(back)) if back.code == 200 else back
        check("E14-15", "the other way round: either SAE can be the master",
              back.code == 200 and keys_of(got) == keys_of(back), (back, got))

    def e14_16(self):
        if self.odd is not None:
            answer = patient(lambda: self.master.post(self.odd.id, {"number": 1}))
            check("E14-16", f"slave {self.odd.id!r} in the path", answer.code == 200, answer)
            table = self.master.status(self.odd.id).json
            check("E14-16", "and in the status", table["slave_SAE_ID"] == self.odd.id, table)
            got = self.odd.fetch(self.master.id, ids_of(answer)) if answer.code == 200 else answer
            check("E14-16", "who has it in its certificate", keys_of(got) == keys_of(answer), got)
        for name in ("nobody", "no body/at?all#%"):
            answer = self.master.post(name, {})
            check("E14-16", f"slave {name!r} that is not there is 400", answer.code == 400, answer)
        for raw in ("a%zz", "a%2", "a%00"):
            answer = self.master.ask("GET", f"/api/v1/keys/{raw}/status")
            check("E14-16", f"path with {raw} is 400", answer.code == 400, answer)

    def e14_17(self):
        here = self.master.url(self.slave.id, "status")
        for path in ("/", "/api/v1/keys", "/api/v1/keys/x", here + "/", "/api/v2" + here[7:],
                     here.replace("status", "Status")):
            answer = self.master.ask("GET", path)
            check("E14-17", f"{path} is 404", answer.code == 404, answer)
        for method, what in (("POST", "status"), ("PUT", "enc_keys"), ("DELETE", "dec_keys")):
            answer = self.master.ask(method, self.master.url(self.slave.id, what), b"")
            check("E14-17", f"{method} {what} is 405", answer.code == 405 and answer.allow, answer)
        for answer in (self.master.get(self.slave.id), self.master.get(self.slave.id, "?number=0"),
                       self.slave.fetch_one(self.master.id, NONSENSE_ID)):
            check("E14-17", "inside only 200, 400, 401, 503", answer.code in (200, 400, 401, 503), answer)

    def e14_18(self):
        for name, answer in (("status", self.master.status(self.slave.id)),
                             ("enc_keys", self.supply()),
                             ("an error", self.master.get(self.slave.id, "?size=257"))):
            kind = (answer.type or "").split(";")[0].strip()
            compact = answer.body == json.dumps(answer.json, separators=(",", ":"),
                                                ensure_ascii=False).encode()
            check("E14-18", f"{name} is application/json", kind == "application/json", answer.type)
            check("E14-18", f"{name} is compact JSON (ours)", compact, answer.body)
        check("E14-18", "connections are kept alive (ours)", self.master.opened <= 3, self.master.opened)

    # ---- what the standard does not number ----

    def extra(self):
        answer = self.slave.fetch(self.master.id, [NONSENSE_ID])
        check("E14-M5", "an unknown ID is 400 with the exact message",
              answer.code == 400 and answer.message == NOT_FOUND, answer)
        if self.o.exact:
            low, many = self.table["min_key_size"], self.table["max_key_per_request"]
            answer, spent = None, 0
            for _ in range(100):
                answer = self.master.post(self.slave.id, {"number": many, "size": low})
                if answer.code != 200:
                    break
                spent += len(keys_of(answer))
            check("row 6", "not enough keys: 503 insufficient key material",
                  answer.code == 503 and answer.message == "insufficient key material", answer)

    def run(self):
        wanted = self.o.only.split(",") if self.o.only else None
        for name in [f"e14_{i:02d}" for i in range(1, 19)] + ["extra"]:
            if wanted is None or name.upper().replace("_", "-") in wanted:
                try:
                    getattr(self, name)()
                except Exception as error:  # a test that cannot go on has failed
                    check(name, "ran to its end", False, f"{type(error).__name__}: {error}")


def main():
    parser = argparse.ArgumentParser(description="ETSI GS QKD 014 client and conformance test")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--master", required=True)
    parser.add_argument("--slave", required=True)
    parser.add_argument("--third")
    parser.add_argument("--odd")
    parser.add_argument("--also")
    parser.add_argument("--also-kme")
    parser.add_argument("--bad", action="append", default=[])
    parser.add_argument("--master-kme", required=True)
    parser.add_argument("--slave-kme")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--must-401", action="store_true")
    parser.add_argument("--wait", type=float, default=0)
    parser.add_argument("--only")
    options = parser.parse_args()
    options.slave_kme = options.slave_kme or options.master_kme
    Tests(options).run()
    print(f"{PASSED} checks passed, {len(FAILED)} failed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
