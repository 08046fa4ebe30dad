//! Reconstructs a request from its head as it was written.
//!
//! A request is used up as it is written, and copying every request would cost far more than the few that are sent again.

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use httparse::{EMPTY_HEADER, Status};

use crate::message::head::Names;

/// The request with this head and this body. `None` unless `head` is exactly one complete head.
pub(super) fn read_back<B>(head: &[u8], body: B) -> Option<Request<B>> {
    let lines = head.iter().filter(|&&byte| byte == b'\n').count();
    let mut headers = vec![EMPTY_HEADER; lines];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(Status::Complete(length)) if length == head.len() => {}
        _ => return None,
    }
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(parsed.method?.as_bytes()).ok()?;
    *request.uri_mut() = match parsed.path? {
        target if target.starts_with('/') => Uri::from(target.parse::<PathAndQuery>().ok()?),
        target => target.parse().ok()?,
    };
    *request.version_mut() = match parsed.version? {
        0 => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    let lines = head.iter().position(|&byte| byte == b'\n')? + 1;
    request.extensions_mut().insert(Names::of(&head[lines..]));
    for header in parsed.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(header.value).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_back_as_it_was() {
        for target in ["/", "/a//b?c=%20", "*", "http://host/a"] {
            let head = format!(
                "GET {target} HTTP/1.1\r\nhost: a:80\r\nx-a: 1\r\nX-B: \t\r\nx-a: caf\u{e9}\r\n\r\n"
            );
            let request = read_back(head.as_bytes(), ()).unwrap();
            assert_eq!(request.method(), Method::GET);
            assert_eq!(request.uri().to_string(), target);
            assert_eq!(request.version(), Version::HTTP_11);
            let values: Vec<&[u8]> = request
                .headers()
                .get_all("x-a")
                .iter()
                .map(HeaderValue::as_bytes)
                .collect();
            assert_eq!(values, [b"1", "caf\u{e9}".as_bytes()]);
            assert_eq!(request.headers().len(), 4);
            let (_, lines) = head.split_once('\n').unwrap();
            let names = request.extensions().get::<Names>();
            assert_eq!(names, Some(&Names::of(lines.as_bytes())));
        }
    }

    #[test]
    fn what_is_no_whole_head_is_none() {
        for head in [
            "",
            "GET / HTTP/1.1\r\nhost: a\r\n",
            "GET / HTTP/1.1\r\nhost: a\r\n\r\nx",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        ] {
            assert!(read_back(head.as_bytes(), ()).is_none(), "{head:?}");
        }
    }
}
