//! What holds for any template and any request.

use proptest::prelude::*;

use super::*;
use crate::access_log::line::MAX;
use crate::logging::line;

/// Pieces that templates are made of, and what may go wrong.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "{{",
        "}}",
        "{{- ",
        " -}}",
        "(",
        ")",
        "|",
        " ",
        "\n",
        "\"",
        "`",
        "\\",
        "%",
        "-",
        "/*",
        "*/",
        "if ",
        "else",
        "{{end}}",
        "{{if ",
        "{{else}}",
        "js ",
        "index ",
        "printf ",
        "true",
        "0",
        "17",
        "nil",
        ".",
        "$",
        ":=",
        "é",
        ".Request.Method ",
        ".Request.Header ",
        ".Request.Header.Get ",
        ".Request.URL ",
        ".Request.URL.Path ",
        ".Request.UserAgent ",
        ".Request.RequestURI ",
        ".Response.Code ",
        ".Response.Latency ",
        ".TraceID ",
        "\"Accept\" ",
        "\"%s\" ",
        "\"%-900q\" ",
        "{{js .Request.URL.Path | js}}",
        "{{.Request.URL.Path}}",
        "{{printf \"%+900q|%x\" .Request.URL.Path .Request.Header}}",
        "{{.Request.UserAgent}}",
        "{{index .Request.Header \"Accept\" 0}}",
        "{{.Request.Header.Get \"Accept\"}}",
        "{{.Request.RequestURI}}",
        "{{if .Request.UserAgent}}a{{else}}b{{end}}",
    ]);
    prop_oneof![9 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

fn template() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..20).prop_map(|pieces| pieces.concat())
}

/// Values that a request may have, odd and long ones among them.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        "\\PC{0,20}".prop_map(String::into_bytes),
        (
            prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..], 0..20),
            0..300_usize
        )
            .prop_map(|(bytes, times)| bytes.repeat(times)),
    ]
}

prop_compose! {
    fn any_request()(
        path in "(/|%[0-9a-fA-F]{2}|[a-z%:*]){0,40}",
        agent in value(),
        accept in value(),
    ) -> Request<()> {
        let request = Request::builder().uri(format!("/{path}"));
        let request = request.header("user-agent", agent).header("accept", accept);
        request.body(()).unwrap()
    }
}

fn render(template: &Template, request: &Request<()>) -> String {
    let entry = Entry::new(template.needs(), request, None, String::new);
    let mut line = "before\n".to_owned();
    template.render(&entry, &mut line);
    line.strip_prefix("before\n").unwrap().to_owned()
}

proptest! {
    #[test]
    fn any_template_is_parsed_or_refused_and_every_line_is_bounded(
        template in template(),
        request in any_request(),
    ) {
        match Template::parse(&template) {
            Ok(parsed) => {
                let line = render(&parsed, &request);
                prop_assert!(line.len() <= MAX, "{}", line.len());
                prop_assert!(line.is_empty() || line.ends_with('\n'));
            }
            Err(error) => prop_assert!(error.to_string().len() < 1000, "{error}"),
        }
    }

    #[test]
    fn no_client_begins_a_line_of_its_own(template in template(), request in any_request()) {
        // What the template itself says may have line ends.
        let template = template.replace(['\n', '\r', '\\'], "");
        if let Ok(parsed) = Template::parse(&template) {
            let line = render(&parsed, &request);
            let text = line.strip_suffix('\n').unwrap_or(&line);
            let own: Vec<char> = template.chars().filter(|char| char.is_control()).collect();
            // `js` leaves a DEL as it is, as in Go.
            let is_foreign =
                |char: char| char.is_control() && char != '\x7f' && !own.contains(&char);
            prop_assert!(!text.contains(is_foreign), "{text:?}");
        }
    }

    #[test]
    fn what_is_escaped_for_javascript_is_a_string_of_json(agent in value()) {
        // But for apostrophes, which Go escapes as JSON does not, and characters beyond the first plane.
        let agent = String::from_utf8_lossy(&agent).replace(|char| char == '\'' || char > '\u{ffff}', "");
        let agent = line::start(&agent, 4096);
        let request = Request::builder().header("user-agent", agent).body(()).unwrap();
        let template = Template::parse("\"{{js .Request.UserAgent}}\"").unwrap();
        let read: String = serde_json::from_str(&render(&template, &request)).unwrap();
        prop_assert_eq!(read, agent);
    }
}

#[test]
fn control_characters_of_a_client_are_escaped() {
    let (request, _) = request("GET /a%0a%0d%09%00%1b%7f%c2%85%e2%80%a8b HTTP/1.1\nAccept: a\tb");
    let check = |template: &str, expected: &str| {
        let template = Template::parse(template).unwrap();
        assert_eq!(render(&template, &request), format!("{expected}\n"));
    };
    let shown = r"/a\n\r\t\u0000\u001b\u007f\u0085\u2028b";
    check("{{.Request.URL.Path}}", shown);
    check("{{printf \"%s\" .Request.URL.Path}}", shown);
    check("{{printf \"%.3s|\" .Request.URL.Path}}", r"/a\n|");
    check("{{.Request.Header}}", r"map[Accept:[a\tb]]");
    check("{{index .Request.Header \"Accept\"}}", r"[a\tb]");
    check("{{printf \"%s\" (printf \"%s\" .Request.URL.Path)}}", shown);
    check("{{.Request.URL}}", "/a%0a%0d%09%00%1b%7f%c2%85%e2%80%a8b");
    // The template's own.
    check("a\n{{\"\\n\\t\"}}", "a\n\n\t");
    check("{{printf \"a\\n%s\" \"b\\n\"}}c", "a\nb\nc");
    // These escape by themselves, only once.
    check(
        "{{js .Request.URL.Path}}",
        "/a\\u000A\\u000D\\u0009\\u0000\\u001B\u{7f}\\u0085\\u2028b",
    );
    check(
        "{{printf \"%q\" .Request.URL.Path}}",
        r#""/a\n\r\t\x00\x1b\x7f\u0085\u2028b""#,
    );
}

#[test]
fn a_long_value_is_cut_and_so_is_a_long_line() {
    let check = |length: usize, template: &str, expected: usize, end: &str| {
        let head = format!("GET /{} HTTP/1.1", "ab".repeat(length / 2));
        let (request, _) = request(&head);
        let line = render(&Template::parse(template).unwrap(), &request);
        assert_eq!(line.len(), expected);
        assert!(line.ends_with(end), "{}", &line[line.len() - 10..]);
    };
    check(4094, "{{.Request.RequestURI}}", 4096, "ab\n");
    check(4096, "{{.Request.RequestURI}}", 4097, "b...\n");
    check(60_000, "{{.Request.RequestURI}}", 4097, "...\n");
    check(
        60_000,
        "{{printf \"%x\" .Request.RequestURI}}|",
        2 * 4096 + 2,
        "2e2e2e|\n",
    );
    let four = "{{.Request.RequestURI}}".repeat(4);
    check(60_000, &four, MAX, "...\n");
    let nearly =
        "{{.Request.RequestURI}}".repeat(3) + &"x".repeat(4096 - 8) + "{{.Request.Method}}";
    check(60_000, &format!("{nearly}end"), MAX - 1, "xGETend\n");
    check(60_000, &format!("{nearly}ends"), MAX, "xGETends\n");
    check(60_000, &format!("{nearly}ended"), MAX, "xGETe...\n");
    // A result is as long as a line at most, however often it is escaped.
    let (request, _) = request("GET / HTTP/1.1\nUser-Agent: \\\\\\\\");
    let template = format!("{{{{js .Request.UserAgent{}}}}}", " | js".repeat(200));
    let line = render(&Template::parse(&template).unwrap(), &request);
    assert_eq!(line.len(), MAX);
}

#[test]
fn only_what_the_template_needs_is_taken_from_a_request() {
    let head = "GET /a HTTP/1.1\nHost: h\nUser-Agent: u\nX-A: a\nX-B: b\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (request, _) = request(head);
    let taken = |template: &str| {
        let template = Template::parse(template).unwrap();
        let entry = Entry::new(template.needs(), &request, None, || "address".to_owned());
        let names: Vec<String> = entry
            .headers
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        let Entry {
            target,
            host,
            remote_address,
            trace_id,
            ..
        } = entry;
        [target, host, remote_address, trace_id, names.join(",")]
            .join(" ")
            .trim()
            .to_owned()
    };
    assert_eq!(
        taken("{{.Request.Method}} {{.Response.Code}} {{.Revision.Name}}"),
        ""
    );
    assert_eq!(taken("{{.Request.RequestURI}}"), "/a");
    assert_eq!(
        taken("{{if .Request.URL.Path}}{{.Request.Host}}{{end}}"),
        "/a h"
    );
    assert_eq!(taken("{{.Request.RemoteAddr}}"), "address");
    assert_eq!(taken("{{.TraceID}}"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        taken("{{if true}}{{else if .Request.UserAgent}}{{end}}"),
        "User-Agent"
    );
    assert_eq!(taken("{{index .Request.Header \"X-A\"}}"), "X-A");
    assert_eq!(taken("{{.Request.Header.Get \"x-b\" | js}}"), "X-B");
    // One that may fail needs the target.
    assert_eq!(taken("{{index .Request.Header \"X-A\" 0}}"), "/a    X-A");
    let all = "Traceparent,User-Agent,X-A,X-B";
    assert_eq!(taken("{{.Request.Header}}"), all);
    assert_eq!(taken("{{index .Request.Header (js \"X-A\")}}"), all);
}

#[test]
fn a_trace_is_named_by_a_valid_traceparent() {
    let check = |parent: &str, expected: &str| {
        let (request, _) = request(&format!("GET / HTTP/1.1\ntraceparent: {parent}"));
        let template = Template::parse("[{{.TraceID}}]").unwrap();
        assert_eq!(
            render(&template, &request),
            format!("[{expected}]\n"),
            "{parent}"
        );
    };
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    check(&format!("00-{trace}-{span}-01"), trace);
    check(&format!("cc-{trace}-{span}-01-more"), trace);
    check(&format!("ff-{trace}-{span}-01"), "");
    check(&format!("00-{}-{span}-01", trace.to_uppercase()), "");
    check(&format!("00-{}-{span}-01", "0".repeat(32)), "");
    check(&format!("00-{trace}-{}-01", "0".repeat(16)), "");
    check(&format!("00-{trace}-{span}"), "");
    check(&format!("00-{trace}a-{span}-01"), "");
    check("", "");
}

#[test]
fn over_http2_the_target_is_the_path() {
    let request = Request::builder()
        .uri("http://host:80/a?b")
        .version(Version::HTTP_2);
    let request = request.body(()).unwrap();
    let template = "{{.Request.RequestURI}} {{.Request.URL}} {{.Request.Host}} {{.Request.Proto}} {{.Request.ProtoMajor}} {{.Request.ProtoMinor}} {{.Request.ContentLength}}";
    let template = Template::parse(template).unwrap();
    assert_eq!(
        render(&template, &request),
        "/a?b /a?b host:80 HTTP/2.0 2 0 -1\n"
    );
}
