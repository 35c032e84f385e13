//! The table: method, path, headers (separated by `|`), body, and what must come back.

const ENDPOINTS: &str = "/webhooks/v1/endpoints";
const TENANT: &str = "/v2.3/webhooks/endpoints";
const MINE: &str = "/webhooks/v1/endpoints/{mine}";
const TENANT_MINE: &str = "/v2.3/webhooks/endpoints/{mine}";
const ROTATE: &str = "/webhooks/v1/endpoints/{mine}/rotate_secret";
const INVALID: &str = "INVALID_REQUEST";
const AUTH: &str = "AUTH_INVALID";
const NOT_FOUND: &str = "NOT_FOUND";
const FORBIDDEN: &str = "PERMISSION_DENIED";
const MEDIA: &str = "UNSUPPORTED_MEDIA_TYPE";
const LARGE: &str = "PAYLOAD_TOO_LARGE";
const METHOD: &str = "METHOD_NOT_ALLOWED";
const HEAD: &str = "HEADERS_TOO_LARGE";
/// What the HTTP parser refuses has no code.
const NONE: &str = "";

#[derive(Debug, Clone, Copy)]
pub enum Body {
    None,
    Text(&'static str),
    Bytes(&'static [u8]),
    Made(fn() -> String),
}

#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub headers: &'static str,
    pub body: Body,
    pub status: u16,
    pub code: &'static str,
}

const fn row(
    method: &'static str,
    path: &'static str,
    headers: &'static str,
    body: Body,
    status: u16,
    code: &'static str,
) -> Row {
    Row {
        method,
        path,
        headers,
        body,
        status,
        code,
    }
}

const fn get(path: &'static str, headers: &'static str, status: u16, code: &'static str) -> Row {
    row("GET", path, headers, Body::None, status, code)
}

const fn create(body: &'static str) -> Row {
    row("POST", ENDPOINTS, "", Body::Text(body), 400, INVALID)
}

const fn change(body: &'static str) -> Row {
    row("PATCH", MINE, "", Body::Text(body), 400, INVALID)
}

const fn tenant(body: &'static str) -> Row {
    row("POST", TENANT, "", Body::Text(body), 400, INVALID)
}

const fn rotate(body: &'static str) -> Row {
    row("POST", ROTATE, "", Body::Text(body), 400, INVALID)
}

const fn post(headers: &'static str, body: Body, status: u16, code: &'static str) -> Row {
    row("POST", ENDPOINTS, headers, body, status, code)
}

pub fn all() -> Vec<Row> {
    [
        KEYS,
        PATHS,
        QUERIES,
        MEDIA_TYPES,
        TEXTS,
        NEW,
        CHANGES,
        HEADERS,
        HEADS,
        HISTORY,
        &made(),
    ]
    .concat()
}

const GOOD: &str = r#"{"url":"https://example.com","eventTypeFilters":["*"]}"#;

const DELIVERIES: &str = "/webhooks/v1/deliveries";
const REPLAY_ENDPOINT: &str = "/webhooks/v1/endpoints/{mine}/replay";
const REPLAY_NONE: &str = "/webhooks/v1/deliveries/dlv_00000000000000000000000000/replay";

const fn replay(body: &'static str) -> Row {
    row("POST", REPLAY_ENDPOINT, "", Body::Text(body), 400, INVALID)
}

/// Of deliveries, events and jobs.
const HISTORY: &[Row] = &[
    get(DELIVERIES, "authorization: Bearer {no_scope}", 403, FORBIDDEN),
    get(DELIVERIES, "authorization: Bearer {expired}", 401, AUTH),
    get("/webhooks/v1/deliveries?endpoint_id={theirs}", "", 404, NOT_FOUND),
    get("/webhooks/v1/deliveries?endpoint_id=wh_nothing", "", 404, NOT_FOUND),
    get("/webhooks/v1/deliveries?endpoint_id=%00", "", 400, INVALID),
    get("/webhooks/v1/deliveries?endpoint_id=", "", 400, INVALID),
    get("/webhooks/v1/deliveries?status=lost", "", 400, INVALID),
    get(
        "/webhooks/v1/deliveries?status=delivered&status=failed",
        "",
        400,
        INVALID,
    ),
    get("/webhooks/v1/deliveries?event_id=%00", "", 400, INVALID),
    get("/webhooks/v1/deliveries?from=yesterday", "", 400, INVALID),
    get("/webhooks/v1/deliveries?from=2026-11-21", "", 400, INVALID),
    get("/webhooks/v1/deliveries?to=2026-11-21T10:00:00", "", 400, INVALID),
    get("/webhooks/v1/deliveries?to=99999-01-01T00:00:00Z", "", 400, INVALID),
    get("/webhooks/v1/deliveries?limit=0", "", 400, INVALID),
    get("/webhooks/v1/deliveries?limit=201", "", 400, INVALID),
    get("/webhooks/v1/deliveries?cursor=x", "", 400, INVALID),
    // A cursor of another list.
    get("/webhooks/v1/deliveries?cursor=MTp3aF8x", "", 400, INVALID),
    get("/webhooks/v1/deliveries?offset=5", "", 400, INVALID),
    get(
        "/webhooks/v1/deliveries/dlv_00000000000000000000000000",
        "",
        404,
        NOT_FOUND,
    ),
    get("/webhooks/v1/deliveries/wh_1", "", 404, NOT_FOUND),
    get("/webhooks/v1/deliveries/%00", "", 404, NOT_FOUND),
    get("/webhooks/v1/deliveries/dlv_'%20OR%201=1--", "", 404, NOT_FOUND),
    get("/webhooks/v1/events/evt_nothing", "", 404, NOT_FOUND),
    get("/webhooks/v1/events/%00", "", 404, NOT_FOUND),
    get("/webhooks/v1/events/evt_1?x=1", "", 400, INVALID),
    get("/webhooks/v1/jobs/job_nothing", "", 404, NOT_FOUND),
    row(
        "POST",
        "/webhooks/v1/jobs/job_nothing/cancel",
        "",
        Body::None,
        404,
        NOT_FOUND,
    ),
    row("DELETE", DELIVERIES, "", Body::None, 405, METHOD),
    row("POST", REPLAY_NONE, "", Body::None, 404, NOT_FOUND),
    row("POST", REPLAY_NONE, "", Body::Text(r#"{"data":{}}"#), 400, INVALID),
    row(
        "POST",
        REPLAY_NONE,
        "",
        Body::Text(r#"{"payload":{"a":1,"a":2}}"#),
        400,
        INVALID,
    ),
    row(
        "POST",
        REPLAY_NONE,
        "content-type: text/plain",
        Body::Text("{}"),
        415,
        MEDIA,
    ),
    row(
        "POST",
        "/webhooks/v1/endpoints/{theirs}/replay",
        "",
        Body::None,
        404,
        NOT_FOUND,
    ),
    row(
        "POST",
        REPLAY_ENDPOINT,
        "authorization: Bearer {no_scope}",
        Body::None,
        403,
        FORBIDDEN,
    ),
    replay(r#"{"only":"some"}"#),
    replay(r#"{"only":null}"#),
    replay(r#"{"since":"yesterday"}"#),
    replay(r#"{"since":1795255200}"#),
    replay(r#"{"since":"2026-11-21T10:00:00Z","until":"2026-11-21T09:00:00Z"}"#),
    replay(r#"{"since":"9999-01-01T00:00:00Z"}"#),
    replay(r#"{"eventTypes":[]}"#),
    replay(r#"{"eventTypes":[""]}"#),
    replay(r#"{"eventTypes":"vault.*"}"#),
    replay(r#"{"ratePerSecond":0}"#),
    replay(r#"{"ratePerSecond":10001}"#),
    replay(r#"{"dryRun":"yes"}"#),
    replay(r#"{"limit":5}"#),
];

const KEYS: &[Row] = &[
    get(ENDPOINTS, "authorization:", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer ", 401, AUTH),
    get(ENDPOINTS, "authorization: Basic b3BlcmF0b3I6eA==", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer {expired}", 401, AUTH),
    get(
        ENDPOINTS,
        "authorization: Bearer hk_0000000000000000000000000000000000000000000000000000000000000000",
        401,
        AUTH,
    ),
    get(ENDPOINTS, "authorization: Bearer hk_00", 401, AUTH),
    get(
        ENDPOINTS,
        "authorization: Bearer hk_000000000000000000000000000000000000000000000000000000000000000G",
        401,
        AUTH,
    ),
    get(ENDPOINTS, "authorization: Bearer ../../etc/passwd", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer ' OR 1=1 --", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer a|authorization: Bearer b", 401, AUTH),
    get(ENDPOINTS, "authorization: Bearer {no_scope}", 403, FORBIDDEN),
    get(TENANT, "authorization: Bearer {no_scope}", 403, FORBIDDEN),
    post("authorization: Bearer {no_scope}", Body::Text(GOOD), 403, FORBIDDEN),
    post("authorization: Bearer {expired}", Body::Text(GOOD), 401, AUTH),
    get(ENDPOINTS, "hookline-tenant: org_another", 403, FORBIDDEN),
    get(ENDPOINTS, "hookline-tenant:", 400, INVALID),
    get(ENDPOINTS, "hookline-tenant: a|hookline-tenant: b", 400, INVALID),
    get(
        ENDPOINTS,
        "authorization: Bearer operator-key-of-the-tests",
        400,
        INVALID,
    ),
    get(
        ENDPOINTS,
        "authorization: Bearer operator-key-of-the-tests|hookline-tenant: org_nobody",
        404,
        NOT_FOUND,
    ),
    get(
        ENDPOINTS,
        "authorization: Bearer operator-key-of-the-tests|hookline-tenant: ../ledger",
        404,
        NOT_FOUND,
    ),
];

const PATHS: &[Row] = &[
    get("/", "", 404, NOT_FOUND),
    get("/webhooks/v1", "", 404, NOT_FOUND),
    get("/webhooks/v2/endpoints", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/", "", 404, NOT_FOUND),
    get("//webhooks/v1/endpoints", "", 404, NOT_FOUND),
    get("/WEBHOOKS/V1/ENDPOINTS", "", 404, NOT_FOUND),
    get("/webhooks/v1/../../admin", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/../../../../etc/passwd", "", 404, NOT_FOUND),
    get(
        "/webhooks/v1/endpoints/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "",
        404,
        NOT_FOUND,
    ),
    get("/webhooks/v1/endpoints/..%5c..%5c", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/%00", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/%ff%fe", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/%zz", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/wh_", "", 404, NOT_FOUND),
    get(
        "/webhooks/v1/endpoints/wh_00000000000000000000000000",
        "",
        404,
        NOT_FOUND,
    ),
    get("/webhooks/v1/endpoints/{theirs}", "", 404, NOT_FOUND),
    get("/v2.3/webhooks/endpoints/{theirs}", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/{mine}%20", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/{mine}/rotate_secret/x", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/%F0%9F%92%A9", "", 404, NOT_FOUND),
    get("/webhooks/v1/endpoints/'%20OR%20'1'='1", "", 404, NOT_FOUND),
    row(
        "DELETE",
        "/webhooks/v1/endpoints/{theirs}",
        "",
        Body::None,
        404,
        NOT_FOUND,
    ),
    row(
        "DELETE",
        "/v2.3/webhooks/endpoints/{theirs}",
        "",
        Body::None,
        404,
        NOT_FOUND,
    ),
    row(
        "PATCH",
        "/webhooks/v1/endpoints/{theirs}",
        "",
        Body::Text("{}"),
        404,
        NOT_FOUND,
    ),
    row(
        "POST",
        "/webhooks/v1/endpoints/{theirs}/rotate_secret",
        "",
        Body::None,
        404,
        NOT_FOUND,
    ),
    row("PUT", ENDPOINTS, "", Body::None, 405, METHOD),
    row("DELETE", ENDPOINTS, "", Body::None, 405, METHOD),
    row("POST", MINE, "", Body::Text("{}"), 405, METHOD),
    row("GET", ROTATE, "", Body::None, 405, METHOD),
    row("TRACE", ENDPOINTS, "", Body::None, 405, METHOD),
    row("PATCH", ENDPOINTS, "", Body::Text("{}"), 405, METHOD),
    row("PROPFIND", ENDPOINTS, "", Body::None, 405, METHOD),
    row("PUT", TENANT_MINE, "", Body::None, 405, METHOD),
];

const QUERIES: &[Row] = &[
    get("/webhooks/v1/endpoints?limit=0", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit=201", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit=-1", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit=1.5", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit=abc", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit=", "", 400, INVALID),
    get(
        "/webhooks/v1/endpoints?limit=99999999999999999999999999",
        "",
        400,
        INVALID,
    ),
    get("/webhooks/v1/endpoints?limit=1&limit=2", "", 400, INVALID),
    get("/webhooks/v1/endpoints?limit%00=1", "", 400, INVALID),
    get("/webhooks/v1/endpoints?status=deleted", "", 400, INVALID),
    get("/webhooks/v1/endpoints?status=", "", 400, INVALID),
    get("/webhooks/v1/endpoints?status=ACTIVE", "", 400, INVALID),
    get("/webhooks/v1/endpoints?status=%ff", "", 400, INVALID),
    get("/webhooks/v1/endpoints?status[]=active", "", 400, INVALID),
    get("/webhooks/v1/endpoints?cursor=", "", 400, INVALID),
    get("/webhooks/v1/endpoints?cursor=x", "", 400, INVALID),
    get("/webhooks/v1/endpoints?cursor=MTo", "", 400, INVALID),
    get("/webhooks/v1/endpoints?cursor=..%2f..%2f", "", 400, INVALID),
    get("/webhooks/v1/endpoints?offset=1", "", 400, INVALID),
    get("/webhooks/v1/endpoints?tenant=org_another", "", 400, INVALID),
    get("/webhooks/v1/endpoints?__proto__=1", "", 400, INVALID),
    get("/webhooks/v1/endpoints?%", "", 400, INVALID),
    get("/webhooks/v1/endpoints/{mine}?x=1", "", 400, INVALID),
    get("/v2.3/webhooks/endpoints?limit=1", "", 400, INVALID),
];

const MEDIA_TYPES: &[Row] = &[
    post("content-type: text/plain", Body::Text(GOOD), 415, MEDIA),
    post("content-type: application/xml", Body::Text("<a/>"), 415, MEDIA),
    post(
        "content-type: application/x-www-form-urlencoded",
        Body::Text("url=x"),
        415,
        MEDIA,
    ),
    post(
        "content-type: multipart/form-data; boundary=x",
        Body::Text("--x--"),
        415,
        MEDIA,
    ),
    post(
        "content-type: application/json; charset=utf-16",
        Body::Text(GOOD),
        415,
        MEDIA,
    ),
    post(
        "content-type: application/json, text/plain",
        Body::Text(GOOD),
        415,
        MEDIA,
    ),
    post("content-type:", Body::Text(GOOD), 415, MEDIA),
    post(
        "content-type: application/json|content-type: application/json",
        Body::Text(GOOD),
        415,
        MEDIA,
    ),
    post("content-encoding: gzip", Body::Text(GOOD), 415, MEDIA),
    post("", Body::None, 415, MEDIA),
    row(
        "PATCH",
        MINE,
        "content-type: application/merge-patch+json",
        Body::Text("{}"),
        415,
        MEDIA,
    ),
    row("POST", ROTATE, "content-type: text/plain", Body::Text("{}"), 415, MEDIA),
    row("POST", TENANT, "content-type: text/json", Body::Text(GOOD), 415, MEDIA),
    post("content-length: 1048577", Body::Text("{"), 413, LARGE),
    post("content-length: 999999999999", Body::Text("{"), 413, LARGE),
    row("PATCH", MINE, "content-length: 99999999", Body::Text("{"), 413, LARGE),
];

const TEXTS: &[Row] = &[
    create("{"),
    create("}"),
    create("[]"),
    create("null"),
    create("true"),
    create("1"),
    create("\"https://example.com\""),
    create("{} {}"),
    create("{},"),
    create("{'url':'https://example.com'}"),
    create("{\"url\":\"https://example.com\",}"),
    create("// {}"),
    create("NaN"),
    create("{\"url\":undefined}"),
    create("[\"https://example.com\",[\"*\"]]"),
    create("{\"url\":\"\\ud800\",\"eventTypeFilters\":[\"*\"]}"),
    create("{\"url\":\"\\x\"}"),
    create("\u{feff}{}"),
    create("{\"url\":\"https://a.example\",\"url\":\"https://b.example\",\"eventTypeFilters\":[\"*\"]}"),
    create("{\"url\":\"https://a.example\",\"\\u0075rl\":\"https://b.example\",\"eventTypeFilters\":[\"*\"]}"),
    create("{\"url\":\"https://a.example\",\"eventTypeFilters\":[\"*\"],\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}"),
    create("{\"url\":\"https://a.example\",\"eventTypeFilters\":[\"*\"],\"headers\":{\"a\":\"1\",\"a\":\"2\"}}"),
    post("", Body::Bytes(b"\xff\xfe{\x00}\x00"), 400, INVALID),
    post("", Body::Bytes(b"{\"url\":\"\xc3\x28\"}"), 400, INVALID),
    post("", Body::Bytes(b"\x00"), 400, INVALID),
    post("", Body::Bytes(b"{\"url\":\"a\nb\"}"), 400, INVALID),
    change("[]"),
    change("null"),
    change("{\"description\":\"a\",\"description\":\"b\"}"),
    rotate("[]"),
    rotate("[0,\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]"),
    tenant("[]"),
];

const NEW: &[Row] = &[
    create("{}"),
    create(r#"{"url":"https://example.com"}"#),
    create(r#"{"eventTypeFilters":["*"]}"#),
    create(r#"{"url":null,"eventTypeFilters":["*"]}"#),
    create(r#"{"url":1,"eventTypeFilters":["*"]}"#),
    create(r#"{"url":["https://example.com"],"eventTypeFilters":["*"]}"#),
    create(r#"{"url":"","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"example.com","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"http://example.com","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"ftp://example.com","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"file:///etc/passwd","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"javascript:alert(1)","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://user:password@example.com","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://127.0.0.1","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://127.1","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://2130706433","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://0x7f.1","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://0177.0.0.1","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://[::1]","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://[::ffff:10.0.0.1]","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://169.254.169.254/latest/meta-data","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://localhost","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://10.0.0.1:8443","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://example.com:25","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://example.com:99999","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://exa\nmple.com","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://example.com/\u0000","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://example.com/\r\nx: y","eventTypeFilters":["*"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":[]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":"*"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":{"0":"*"}}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":[1]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":[null]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":[""]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["**"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["vault.*.x"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["vault.ingest*"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["no.such.type"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["VAULT.INGEST.COMPLETED"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["vault.ingest.completed\u0000"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"id":"wh_1"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"tenant":"org_another"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"requiredScopes":[]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"status":"active"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"__proto__":{}}"#),
    create(r#"{"url":"https://example.com","event_type_filters":["*"]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"signingSecret":"whsec_"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"signingSecret":"secret"}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"signingSecret":null}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"resourceScopes":[["a"],["b"]]}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"resourceScopes":{"vaultIds":"v"}}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"resourceScopes":{"vaultIds":[""]}}"#),
    create(r#"{"url":"https://example.com","eventTypeFilters":["*"],"resourceScopes":{"vaultIDs":[]}}"#),
    tenant("{}"),
    tenant(r#"{"url":"https://example.com","eventTypeFilters":["*"]}"#),
    tenant(r#"{"url":"https://127.1","events":["*"]}"#),
    tenant(r#"{"url":"https://example.com","events":["*"],"status":"disabled"}"#),
    tenant(r#"{"url":"https://example.com","events":["*"],"secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}"#),
];

const CHANGES: &[Row] = &[
    change(r#"{"status":"auto_disabled"}"#),
    change(r#"{"status":"deleted"}"#),
    change(r#"{"status":null}"#),
    change(r#"{"status":1}"#),
    change(r#"{"status":{"active":null}}"#),
    change(r#"{"url":null}"#),
    change(r#"{"url":"https://192.168.0.1"}"#),
    change(r#"{"eventTypeFilters":null}"#),
    change(r#"{"eventTypeFilters":[]}"#),
    change(r#"{"id":"wh_1"}"#),
    change(r#"{"version":7}"#),
    change(r#"{"createdAt":"2020-01-01T00:00:00Z"}"#),
    change(r#"{"signingSecret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}"#),
    change(r#"{"maxInFlight":0}"#),
    change(r#"{"maxInFlight":1001}"#),
    change(r#"{"maxInFlight":1.5}"#),
    change(r#"{"maxInFlight":99999999999999999999}"#),
    change(r#"{"maxInFlight":"7"}"#),
    change(r#"{"timeoutSec":0}"#),
    change(r#"{"timeoutSec":61}"#),
    change(r#"{"timeoutSec":-2147483649}"#),
    change(r#"{"retrySchedule":[-1]}"#),
    change(r#"{"retrySchedule":[172801]}"#),
    change(r#"{"retrySchedule":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"#),
    change(r#"{"retrySchedule":5}"#),
    change(r#"{"rateLimit":{"perSecond":0}}"#),
    change(r#"{"rateLimit":{"perSecond":-1,"burst":1}}"#),
    change(r#"{"rateLimit":{"perSecond":1e309}}"#),
    change(r#"{"rateLimit":{"perSecond":1e300}}"#),
    change(r#"{"rateLimit":{"perSecond":1,"burst":0}}"#),
    change(r#"{"rateLimit":{"burst":1}}"#),
    change(r#"{"rateLimit":[1,1]}"#),
    change(r#"{"rateLimit":{"perSecond":1,"per":"s"}}"#),
    change(r#"{"ordering":"endpoint"}"#),
    change(r#"{"onExhausted":"block"}"#),
    change(r#"{"placement":"shared"}"#),
    change(r#"{"placement":"nowhere"}"#),
    change(r#"{"envelope":"xml"}"#),
    change(r#"{"dialect":"none"}"#),
    change(r#"{"signatureScheme":"v2"}"#),
    change(r#"{"disableOnGone":"true"}"#),
    change(r#"{"metadata":{"a":1}}"#),
    change(r#"{"metadata":{"":"a"}}"#),
    change(r#"{"metadata":null}"#),
    change(r#"{"metadata":[["a","b"]]}"#),
    change(r#"{"description":1}"#),
    rotate(r#"{"previousSecretExpiresInSec":-1}"#),
    rotate(r#"{"previousSecretExpiresInSec":2592001}"#),
    rotate(r#"{"previousSecretExpiresInSec":"0"}"#),
    rotate(r#"{"previousSecretExpiresInSec":0.5}"#),
    rotate(r#"{"secret":"whsec_x"}"#),
    row(
        "PATCH",
        TENANT_MINE,
        "",
        Body::Text(r#"{"status":"disabled"}"#),
        400,
        INVALID,
    ),
    row("PATCH", TENANT_MINE, "", Body::Text(r#"{"events":[]}"#), 400, INVALID),
    row("PATCH", TENANT_MINE, "", Body::Text(r#"{"headers":{}}"#), 400, INVALID),
];

const HEADERS: &[Row] = &[
    change(r#"{"headers":{"host":"x"}}"#),
    change(r#"{"headers":{"Webhook-Signature":"v1,x"}}"#),
    change(r#"{"headers":{"Content-Length":"0"}}"#),
    change(r#"{"headers":{"transfer-encoding":"chunked"}}"#),
    change(r#"{"headers":{"x":"a\r\nx-injected: 1"}}"#),
    change(r#"{"headers":{"x\r\ny":"1"}}"#),
    change(r#"{"headers":{"x y":"1"}}"#),
    change(r#"{"headers":{"":"1"}}"#),
    change(r#"{"headers":{"x":"\u0000"}}"#),
    change(r#"{"headers":{"x":"ü"}}"#),
    change(r#"{"headers":{"x":null}}"#),
    change(r#"{"headers":{"x":["1"]}}"#),
    change(r#"{"headers":{"authorization":"[redacted]"}}"#),
    change(r#"{"headers":{"x-a":"1","X-A":"2"}}"#),
    change(r#"{"headers":null}"#),
];

const HEADS: &[Row] = &[
    row("PATCH", MINE, "if-match: 1", Body::Text("{}"), 400, INVALID),
    row("PATCH", MINE, "if-match: \"1", Body::Text("{}"), 400, INVALID),
    row("PATCH", MINE, "if-match:", Body::Text("{}"), 400, INVALID),
    row(
        "PATCH",
        MINE,
        "if-match: \"99\"",
        Body::Text("{}"),
        412,
        "PRECONDITION_FAILED",
    ),
    row(
        "PATCH",
        MINE,
        "if-match: W/\"1\"",
        Body::Text("{}"),
        412,
        "PRECONDITION_FAILED",
    ),
    row(
        "DELETE",
        MINE,
        "if-match: \"99\"",
        Body::None,
        412,
        "PRECONDITION_FAILED",
    ),
    post("idempotency-key:", Body::Text(GOOD), 400, INVALID),
    post("idempotency-key: a b", Body::Text(GOOD), 400, INVALID),
    post("idempotency-key: a|idempotency-key: b", Body::Text(GOOD), 400, INVALID),
    post("idempotency-key: ü", Body::Text(GOOD), 400, INVALID),
    post(
        "transfer-encoding: chunked|content-length: 3",
        Body::Text("{}"),
        400,
        INVALID,
    ),
    post("content-length: abc", Body::Text("{}"), 400, NONE),
    post("content-length: 1|content-length: 2", Body::Text("{}"), 400, NONE),
    post("transfer-encoding: chunked", Body::Text("zz\r\n{}\r\n"), 400, INVALID),
    get(ENDPOINTS, "bad header: x", 400, NONE),
    get(ENDPOINTS, "x-null: \u{0}", 400, NONE),
    get(ENDPOINTS, "{70 headers}", 431, HEAD),
    get("/nowhere", "{70 headers}", 431, HEAD),
    get(ENDPOINTS, "authorization: Bearer {33k}", 431, HEAD),
    get(ENDPOINTS, "if-match: \"{33k}\"", 431, HEAD),
    get("/webhooks/v1/endpoints/{33k}", "", 431, HEAD),
    get("/webhooks/v1/endpoints?cursor={33k}", "", 431, HEAD),
    row("{33k}", ENDPOINTS, "", Body::None, 431, HEAD),
    post("idempotency-key: {33k}", Body::Text(GOOD), 431, HEAD),
    post(
        "{70 headers}|transfer-encoding: chunked",
        Body::Text("2\r\n{}\r\n0\r\n\r\n"),
        431,
        HEAD,
    ),
    get(ENDPOINTS, "{300 headers}", 431, NONE),
    get(ENDPOINTS, "x: {300k}", 431, NONE),
    get("/webhooks/v1/endpoints/{300k}", "", 431, NONE),
    row("GET /x", "HTTP/1.1 y", "", Body::None, 400, NONE),
];

/// Bodies that are too large for a table.
fn made() -> Vec<Row> {
    vec![
        row(
            "POST",
            ENDPOINTS,
            "transfer-encoding: chunked",
            Body::Made(|| format!("200000\r\n{}\r\n0\r\n\r\n", " ".repeat(0x20_0000))),
            413,
            LARGE,
        ),
        post("", Body::Made(|| " ".repeat((1 << 20) + 1)), 413, LARGE),
        post(
            "",
            Body::Made(|| format!("{{\"a\":{}", "[".repeat(100_000))),
            400,
            INVALID,
        ),
        post(
            "",
            Body::Made(|| format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64))),
            400,
            INVALID,
        ),
        post("", Body::Made(|| "{\"a\":".repeat(10_000)), 400, INVALID),
        post(
            "",
            Body::Made(|| with("url", &format!("\"https://example.com/{}\"", "x".repeat(2048)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("description", &text(1025))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("eventTypeFilters", &list(101, "\"*\""))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("eventTypeFilters", &format!("[{}]", text(129)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("resourceScopes", &format!("{{\"vaultIds\":{}}}", list(1001, "\"v\"")))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("resourceScopes", &format!("{{\"matterIds\":[{}]}}", text(257)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("headers", &members(21, "x-"))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("headers", &format!("{{\"x\":{}}}", text(1025)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("headers", &format!("{{{}:\"1\"}}", text(65)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("metadata", &members(51, "m"))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("metadata", &format!("{{\"a\":{}}}", text(501)))),
            400,
            INVALID,
        ),
        row(
            "PATCH",
            MINE,
            "",
            Body::Made(|| with("metadata", &format!("{{{}:\"\"}}", text(41)))),
            400,
            INVALID,
        ),
    ]
}

fn with(field: &str, value: &str) -> String {
    format!("{{\"{field}\":{value}}}")
}

fn text(chars: usize) -> String {
    format!("\"{}\"", "x".repeat(chars))
}

fn list(count: usize, item: &str) -> String {
    format!("[{}]", vec![item; count].join(","))
}

fn members(count: usize, prefix: &str) -> String {
    let members: Vec<_> = (0..count).map(|n| format!("\"{prefix}{n}\":\"1\"")).collect();
    format!("{{{}}}", members.join(","))
}
