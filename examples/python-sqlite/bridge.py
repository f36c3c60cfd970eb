"""A contact-synchronization bridge on SQLite, with nothing but Python's standard library.

Usage: BRIDGE_USERNAME=agent BRIDGE_PASSWORD=… python3 bridge.py contacts.db [PORT]
"""

import functools
import gzip
import hashlib
import hmac
import json
import os
import sqlite3
import sys
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = 500  # contacts in an answer: small enough to be sent well within 10 seconds
LARGEST_REQUEST = 1 << 20  # bytes
HOLD_BACK = timedelta(seconds=60)  # longer than any transaction that writes contacts stays open
SELECT = "SELECT id, name, company, phone, mobile, email, updated_at FROM contacts"
MAPPING = 1  # to be raised when contact() makes other contacts of the same rows


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


# --- the protocol -----------------------------------------------------------------------------------------------------


def read_request(body):
    """Return auth and meta of a request. What is malformed is refused; unknown fields are ignored."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "bad_request", "the body is not JSON") from None
    if not isinstance(request, dict):
        raise Refused(400, "bad_request", "the body is not a JSON object")
    auth, meta = request.get("auth") or {}, request.get("meta") or {}
    if not isinstance(auth, dict) or not isinstance(meta, dict):
        raise Refused(400, "bad_request", "auth and meta are objects")
    return auth, meta


def check(auth):
    """Refuse wrong credentials: bytes, not texts, since only they are compared in constant time in every language."""
    good = True
    for key, wanted in (("username", "BRIDGE_USERNAME"), ("password", "BRIDGE_PASSWORD")):
        given = str(auth.get(key, "")).encode("utf-8", "surrogatepass")
        good &= hmac.compare_digest(given, os.environ[wanted].encode())
    if not good:
        raise Refused(401, "unauthorized", "the credentials are wrong")


def owner(path):
    """Return what checkpoints belong to: the data, and what becomes of it."""
    return f"{path}\n{SELECT}\n{MAPPING}"


def seal(name, text, owned_by):
    """Return an offset or a checkpoint: a text, and a checksum that says where it belongs."""
    return f"{text}~{hashlib.sha256(f'{name}{text}{owned_by}'.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def unseal(name, meta, owned_by):
    """Return what was sealed, or None: this bridge, as it is now, never issued it. Absent, null and empty are the same."""
    mark = "" if meta.get(name) is None else meta[name]
    if not isinstance(mark, (str, int, float)):
        raise Refused(400, "bad_request", f"{name} is a string")
    text = str(mark).rpartition("~")[0]
    return text if seal(name, text, owned_by) == mark else None


def position(text):
    time, _, row_id = text.partition("|")
    return time, int(row_id)


def contact_sync(database, meta, owned_by):
    """Answer one page: the contacts after a position, in the order of (updated_at, id)."""
    since, resumed = unseal("synchronization_checkpoint", meta, owned_by), unseal("offset", meta, owned_by)
    horizon, after = None, since
    if resumed:
        # An offset holds all that its page needs, so that any process can answer it: "horizon;time|id". It alone says where to
        # go on, whatever checkpoint the run was to start from.
        horizon, _, after = resumed.partition(";")
    elif meta.get("offset") not in (None, ""):
        raise Refused(400, "invalid_offset", "this bridge never issued that offset")
    # A checkpoint of another table, mapping or bridge says nothing about these contacts: all of them are sent.
    restarted = meta.get("synchronization_checkpoint") not in (None, "") and not since and not resumed
    if restarted:
        say_once("a checkpoint belongs to another table, mapping or bridge: every contact is sent again")
    if horizon is None:
        # A transaction may have stamped its rows a while ago and not be committed yet. What is newer than the horizon is
        # sent, but the checkpoint does not pass it: the next run sends it again, and with it whatever came late.
        horizon = (datetime.now(timezone.utc) - HOLD_BACK).strftime("%Y-%m-%d %H:%M:%S.000")
    rows = database.execute(
        SELECT + " WHERE (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT ?",
        (*position(after or "|0"), PAGE + 1),
    ).fetchall()
    page, more = rows[:PAGE], len(rows) > PAGE
    answer = {"contacts": [contact(row) for row in page]}
    if page:
        last = (page[-1]["updated_at"], page[-1]["id"])
        place, safe = (f"{time}|{row_id}" for time, row_id in (last, min(last, (horizon, 0))))
        answer["synchronization_checkpoint"] = seal("synchronization_checkpoint", safe, owned_by)
        if more:
            answer["next_offset"] = seal("offset", f"{horizon};{place}", owned_by)
    elif since:
        answer["synchronization_checkpoint"] = meta["synchronization_checkpoint"]
    if meta.get("supports_deletions") is True:
        # To a synchronizer that finds out by itself who was deleted: this run brings everybody, and no page can skip a row.
        answer["exact"] = True
        if restarted:
            answer["restarted"] = True
    return answer


@functools.cache
def say_once(message):
    print(message, file=sys.stderr, flush=True)


def contact(row):
    """A contact as the protocol wants it: id and name always, everything else only where there is something to say."""
    fields = {
        "id": str(row["id"]),
        "name": row["name"] or row["company"] or row["email"] or str(row["id"]),
        "company": row["company"],
        "phones": [number for number in (row["phone"], row["mobile"]) if number],
        "emails": [row["email"]] if row["email"] else [],
    }
    return {key: value for key, value in fields.items() if value}


# --- HTTP -------------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open between pages
    disable_nagle_algorithm = True

    def do_POST(self):
        try:
            if self.path not in ("/contact_sync", "/auth_validation"):
                self.close_connection = True  # the body stays unread
                raise Refused(404, "not_found", "there is /contact_sync and /auth_validation")
            auth, meta = read_request(self.read_body())
            check(auth)
            if self.path == "/auth_validation":
                return self.answer(204)
            database = sqlite3.connect(f"file:{self.server.path}?mode=ro", uri=True, timeout=5)
            database.row_factory = sqlite3.Row
            try:
                return self.answer(200, contact_sync(database, meta, owner(self.server.path)))
            finally:
                database.close()
        except Refused as refused:
            return self.answer_error(refused.status, refused.code, str(refused))
        except Exception as problem:  # the cause belongs into the log, not into the answer
            self.log_error("%r", problem)
            return self.answer_error(500, "internal", "the bridge has a problem; its log says more")

    def do_GET(self):
        self.close_connection = True  # there may be an unread body
        self.answer_error(405, "method_not_allowed", "POST only", {"Allow": "POST"})

    do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def read_body(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_REQUEST:
            self.close_connection = True  # the body stays unread
            raise Refused(413 if length.isdecimal() else 411, "body_too_large", "the body has no length, or too much of it")
        body = self.rfile.read(int(length))
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "unsupported_media_type", "the body must be application/json")
        return body

    def answer_error(self, status, code, message, headers=None):
        self.answer(status, {"error": {"code": code, "message": message}}, headers)

    def answer(self, status, value=None, headers=None):
        body = b"" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        self.send_response(status)
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        if self.close_connection:
            self.send_header("Connection", "close")
        if len(body) > 1000 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 8080), Handler)
    server.path = os.path.abspath(sys.argv[1])
    print(f"listening on http://127.0.0.1:{server.server_port}/contact_sync", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) < 2 or not os.environ.get("BRIDGE_USERNAME") or not os.environ.get("BRIDGE_PASSWORD"):
        sys.exit(__doc__)
    main()
