//! Bodies that are taken and bodies that aren't.

use super::*;
use http::HeaderValue;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    n: i32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "nullable_object")]
    inner: Option<Option<Inner>>,
}

fn path(body: &[u8]) -> String {
    let error = parse::<Wanted>(body).expect_err("it is refused");
    assert_eq!(error.code, Code::InvalidRequest);
    error.details[0].path.clone()
}

#[test]
fn null_and_left_out_are_told_apart() {
    let wanted = |body: &str| parse::<Wanted>(body.as_bytes()).expect(body);
    assert_eq!(
        wanted(" {} "),
        Wanted {
            name: None,
            inner: None
        }
    );
    assert_eq!(wanted(r#"{"inner":null}"#).inner, Some(None));
    assert_eq!(wanted(r#"{"inner":{"n":1}}"#).inner, Some(Some(Inner { n: 1 })));
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    assert_eq!(path(br#"{"name":null}"#), "name");
    assert_eq!(path(br#"{"nmae":"x"}"#), "nmae");
    assert_eq!(path(br#"{"inner":{"n":1,"m":2}}"#), "inner.m");
    assert_eq!(path(br#"{"inner":{"n":"1"}}"#), "inner.n");
    assert_eq!(path(br#"{"inner":[1]}"#), "inner");
    assert_eq!(path(br#"{"inner":{"n":1,"n":1}}"#), "inner.n");
    assert_eq!(path(br#"{"x":[{},{"a":1,"\u0061":2}]}"#), "x[1].a");
    for whole in [
        b"".as_slice(),
        b"[]",
        b"1",
        b"null",
        b"{",
        b"{}x",
        b"\xff",
        b"[\"x\",null]",
        b"\xef\xbb\xbf{}",
    ] {
        assert_eq!(path(whole), "", "{whole:?}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64));
    assert!(path(deep.as_bytes()).starts_with("a[0]"));
    assert!(parse::<Wanted>("[".repeat(1_000_000).as_bytes()).is_err());
}

#[test]
fn only_json_in_utf8_is_taken() {
    let check = |value: &'static str| {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]);
        check_type(&headers, &["application/json"]).is_ok()
    };
    for fine in [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
        "application/json;",
    ] {
        assert!(check(fine), "{fine}");
    }
    for other in [
        "",
        "text/plain",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
    ] {
        assert!(!check(other), "{other}");
    }
    assert!(check_type(&HeaderMap::new(), &["application/json"]).is_err());
}
