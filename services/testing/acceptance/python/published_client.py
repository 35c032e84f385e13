"""The published client of the native API, unchanged, by base URL alone: everything that it can do with endpoints and
deliveries.

Arguments: the base URL, and a key with the scope `webhooks` alone. Environment: CASEDEV_API_KEY, a key with all scopes. Ends with exit status 0 when all of it went as it should.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from casedev import APIStatusError, Casedev, ConflictError, NotFoundError, PermissionDeniedError


class Receiver(BaseHTTPRequestHandler):
    """Keeps what comes, and answers 200, or what it is told to."""

    seen = []
    status = 200

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Receiver.seen.append((dict(self.headers.items()), body))
        self.send_response(Receiver.status)
        self.send_header("x-receiver", "python")
        self.end_headers()
        self.wfile.write(b"thank you")

    def log_message(self, *_):
        pass


def signatures(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def refused(kind, status, code, call):
    try:
        call()
    except kind as error:
        assert isinstance(error, APIStatusError) and error.status_code == status, error
        assert error.body["error"]["code"] == code, error.body
        return
    raise AssertionError(f"{kind.__name__} was expected")


def eventually(what, look):
    """Asks until the answer is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come about")


def deliveries(base_url, url):
    """Lists, retrieves and replays: what was delivered, and what failed."""
    v1 = Casedev(base_url=base_url).webhooks.v1
    raw = v1.deliveries.with_raw_response
    endpoint = v1.endpoints.create(url=url, event_type_filters=["vault.ingest.completed"]).endpoint.id

    def publish(vault):
        event = {"type": "vault.ingest.completed", "data": {"vaultId": vault, "objectId": "o1", "durationMs": 1}}
        request = urllib.request.Request(
            f"{base_url}/webhooks/v1/events",
            json.dumps(event).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {os.environ['CASEDEV_API_KEY']}"},
        )
        return json.load(urllib.request.urlopen(request))["id"]

    def listed(**wanted):
        answer = raw.list(endpoint_id=endpoint, **wanted).http_response
        assert answer.status_code == 200, answer.text
        return answer.json()["deliveries"]

    def retrieved(id):
        return raw.retrieve(id).http_response.json()["delivery"]

    event = publish("v1")
    (row,) = eventually("a delivery", lambda: listed(status="delivered"))
    assert row["eventId"] == event and row["endpointId"] == endpoint and row["attemptCount"] == 1, row
    assert listed(status="failed") == [] and len(listed(limit=1)) == 1
    shown = retrieved(row["id"])
    assert shown["payload"]["vaultId"] == "v1", shown
    assert [one["statusCode"] for one in shown["attempts"]] == [200], shown
    assert shown["attempts"][0]["responseBody"] == "thank you", shown

    # A replay: the same event once more, marked.
    Receiver.seen.clear()
    answer = raw.replay(row["id"]).http_response
    assert answer.status_code == 202 and answer.json()["delivery"]["status"] == "pending", answer.text
    eventually("its request", lambda: Receiver.seen)
    headers, body = Receiver.seen.pop()
    assert headers["webhook-id"] == row["id"] and headers["webhook-replay"] == "true", headers
    assert json.loads(body)["id"] == event and json.loads(body)["data"]["vaultId"] == "v1"
    eventually("its end", lambda: retrieved(row["id"])["attemptCount"] == 2)
    assert [one["trigger"] for one in retrieved(row["id"])["attempts"]] == ["event", "replay"]

    # What failed, with another payload once the receiver is well.
    Receiver.status = 400
    publish("v2")
    (failed,) = eventually("a failed delivery", lambda: listed(status="failed"))
    assert failed["reason"] == "rejected_by_receiver" and failed["lastStatusCode"] == 400, failed
    Receiver.status = 200
    raw.replay(failed["id"], payload={"vaultId": "v3", "objectId": "o3", "durationMs": 3})
    eventually("its delivery", lambda: retrieved(failed["id"])["status"] == "delivered")
    assert json.loads(Receiver.seen.pop()[1])["data"]["vaultId"] == "v3"

    refused(NotFoundError, 404, "NOT_FOUND", lambda: v1.deliveries.retrieve("dlv_00000000000000000000000000"))
    v1.endpoints.delete(endpoint)
    assert len(listed()) == 2, "the history of a deleted endpoint stays"
    refused(ConflictError, 409, "CONFLICT", lambda: v1.deliveries.replay(failed["id"]))


def main(base_url):
    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/hook"

    v1 = Casedev(base_url=base_url).webhooks.v1
    raw = v1.endpoints.with_raw_response

    def read(answer, status=200):
        assert answer.http_response.status_code == status, answer.http_response
        return answer.http_response.json()

    # Create
    made = v1.endpoints.create(
        url=url,
        event_type_filters=["vault.ingest.*", "ocr.job.completed"],
        description="made by the published client",
        resource_scopes={"vault_ids": ["vault_1"]},
    )
    endpoint = made.endpoint
    assert made.signing_secret.startswith("whsec_")
    assert endpoint.id.startswith("wh_") and endpoint.url == url and endpoint.status == "active"
    assert endpoint.event_type_filters == ["vault.ingest.*", "ocr.job.completed"]
    assert endpoint.resource_scopes.vault_ids == ["vault_1"] and endpoint.resource_scopes.matter_ids == []
    assert endpoint.consecutive_failure_count == 0 and endpoint.disabled_reason is None
    assert endpoint.created_at.tzinfo is not None and endpoint.created_at == endpoint.updated_at
    assert not endpoint.has_previous_signing_secret

    # List and retrieve
    other = v1.endpoints.create(url=url, event_type_filters=["*"]).endpoint
    listed = read(raw.list())["endpoints"]
    assert [one["id"] for one in listed] == [other.id, endpoint.id], listed
    assert not any("signingSecret" in one for one in listed)
    assert len(read(raw.list(limit=1))["endpoints"]) == 1
    assert read(raw.list(status="disabled"))["endpoints"] == []
    assert read(raw.retrieve(endpoint.id))["endpoint"]["url"] == url

    # Update
    changed = read(
        raw.update(
            endpoint.id, description=None, resource_scopes=None, event_type_filters=["vault.*"], status="disabled"
        )
    )["endpoint"]
    assert changed["description"] is None and changed["resourceScopes"] is None
    assert changed["eventTypeFilters"] == ["vault.*"] and changed["status"] == "disabled" and changed["url"] == url
    assert [one["id"] for one in read(raw.list(status="disabled"))["endpoints"]] == [endpoint.id]
    assert read(raw.update(endpoint.id, status="active"))["endpoint"]["status"] == "active"

    # Test: one signed request
    result = read(raw.test(endpoint.id))
    assert result["ok"] is True and result["statusCode"] == 200 and result["responseBody"] == "thank you", result
    headers, body = Receiver.seen.pop()
    assert headers["webhook-id"] == result["webhookId"] and json.loads(body)["type"] == "webhook.test"
    assert headers["webhook-signature"] == signatures(made.signing_secret, headers, body)

    # Rotate: both secrets sign until the old one expires
    rotated = read(raw.rotate_secret(endpoint.id, previous_secret_expires_in_sec=3600))
    assert rotated["signingSecret"] != made.signing_secret and rotated["endpoint"]["hasPreviousSigningSecret"]
    read(raw.test(endpoint.id, event_type="vault.ingest.completed", payload={"vaultId": "vault_1"}))
    headers, body = Receiver.seen.pop()
    assert json.loads(body)["data"] == {"vaultId": "vault_1"}
    both = {signatures(secret, headers, body) for secret in (made.signing_secret, rotated["signingSecret"])}
    assert set(headers["webhook-signature"].split(" ")) == both, headers
    last = read(raw.rotate_secret(endpoint.id, previous_secret_expires_in_sec=0))
    assert not last["endpoint"]["hasPreviousSigningSecret"]
    read(raw.test(endpoint.id))
    headers, body = Receiver.seen.pop()
    assert headers["webhook-signature"] == signatures(last["signingSecret"], headers, body)

    # Event types
    types = read(v1.event_types.with_raw_response.list())["eventTypes"]
    completed = next(one for one in types if one["type"] == "vault.ingest.completed")
    assert completed["requiredScope"] == "vault" and completed["payloadSchema"], completed

    # Delete
    assert raw.delete(endpoint.id).http_response.status_code == 204
    assert raw.delete(other.id).http_response.status_code == 204
    assert read(raw.list())["endpoints"] == []
    refused(NotFoundError, 404, "NOT_FOUND", lambda: v1.endpoints.retrieve(endpoint.id))

    deliveries(base_url, url)

    # A key without the scope of a type
    narrow = Casedev(base_url=base_url, api_key=sys.argv[2]).webhooks.v1
    refused(
        PermissionDeniedError,
        403,
        "PERMISSION_DENIED",
        lambda: narrow.endpoints.create(url=url, event_type_filters=["vault.ingest.completed"]),
    )

    # The same key for another body
    once = {"Idempotency-Key": "published-client"}
    first = v1.endpoints.create(url=url, event_type_filters=["*"], extra_headers=once)
    again = v1.endpoints.create(url=url, event_type_filters=["*"], extra_headers=once)
    assert again == first
    refused(
        ConflictError,
        409,
        "CONFLICT",
        lambda: v1.endpoints.create(url=url, event_type_filters=["vault.*"], extra_headers=once),
    )


if __name__ == "__main__":
    main(sys.argv[1])
