//! The fields that a template can name, and their values.

use std::borrow::Cow;

use super::entry::Entry;
use super::needs::{HeaderNeeds, Needs};
use super::text::Text;
use super::url::Url;
use super::value::{Kind, Value};
use crate::settings::nearest;

/// A field without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Method,
    RequestUri,
    Proto,
    ProtoMajor,
    ProtoMinor,
    Host,
    RemoteAddr,
    ContentLength,
    Headers,
    UserAgent,
    Referer,
    Url,
    UrlText,
    UrlScheme,
    UrlHost,
    UrlPath,
    UrlEscapedPath,
    UrlRawQuery,
    Code,
    Size,
    Latency,
    RevisionName,
    RevisionNamespace,
    RevisionService,
    RevisionConfiguration,
    /// Knative's activator has no value for it either.
    Empty,
    TraceId,
}

/// The method that looks up a header.
pub(super) const HEADER_GET: &str = ".Request.Header.Get";

const FIELDS: &[(&str, Field, Kind)] = &[
    (".Request.Method", Field::Method, Kind::Text),
    (".Request.RequestURI", Field::RequestUri, Kind::Text),
    (".Request.Proto", Field::Proto, Kind::Text),
    (".Request.ProtoMajor", Field::ProtoMajor, Kind::Whole),
    (".Request.ProtoMinor", Field::ProtoMinor, Kind::Whole),
    (".Request.Host", Field::Host, Kind::Text),
    (".Request.RemoteAddr", Field::RemoteAddr, Kind::Text),
    (".Request.ContentLength", Field::ContentLength, Kind::Whole),
    (".Request.Header", Field::Headers, Kind::Headers),
    (".Request.UserAgent", Field::UserAgent, Kind::Text),
    (".Request.Referer", Field::Referer, Kind::Text),
    (".Request.URL", Field::Url, Kind::Url),
    (".Request.URL.String", Field::UrlText, Kind::Text),
    (".Request.URL.Scheme", Field::UrlScheme, Kind::Text),
    (".Request.URL.Host", Field::UrlHost, Kind::Text),
    (".Request.URL.Path", Field::UrlPath, Kind::Text),
    (
        ".Request.URL.EscapedPath",
        Field::UrlEscapedPath,
        Kind::Text,
    ),
    (".Request.URL.RawQuery", Field::UrlRawQuery, Kind::Text),
    (".Response.Code", Field::Code, Kind::Whole),
    (".Response.Size", Field::Size, Kind::Whole),
    (".Response.Latency", Field::Latency, Kind::Decimal),
    (".Revision.Name", Field::RevisionName, Kind::Text),
    (".Revision.Namespace", Field::RevisionNamespace, Kind::Text),
    (".Revision.Service", Field::RevisionService, Kind::Text),
    (
        ".Revision.Configuration",
        Field::RevisionConfiguration,
        Kind::Text,
    ),
    (".Revision.PodName", Field::Empty, Kind::Text),
    (".Revision.PodIP", Field::Empty, Kind::Text),
    (".TraceID", Field::TraceId, Kind::Text),
];

/// The field with this path, and its kind.
///
/// # Errors
/// What would be right.
pub(super) fn find(path: &str) -> Result<(Field, Kind), String> {
    if let Some((_, field, kind)) = FIELDS.iter().find(|(name, ..)| *name == path) {
        return Ok((*field, *kind));
    }
    if let Some(header) = path.strip_prefix(".Request.Header.") {
        return Err(format!(
            r#"a header is looked up by its name: write {HEADER_GET} "{header}""#
        ));
    }
    let fields = below(path);
    if !fields.is_empty() {
        let what = format!("{path} is not one value; it has {}", fields.join(", "));
        return Err(what);
    }
    let (parent, name) = path.rsplit_once('.').unwrap_or_default();
    let siblings = below(parent);
    if siblings.is_empty() {
        find(parent)?;
        return Err(format!("{parent} has no fields"));
    }
    Err(match nearest(name, siblings.iter().copied()) {
        Some(near) => format!("{path} is not supported; did you mean {parent}.{near}?"),
        None => format!(
            "{path} is not supported; {} has {}",
            if parent.is_empty() {
                "a template"
            } else {
                parent
            },
            siblings.join(", ")
        ),
    })
}

/// The names of the fields of a field.
fn below(path: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (known, ..) in FIELDS {
        let below = known.strip_prefix(path).and_then(|it| it.strip_prefix('.'));
        let name = below.and_then(|it| it.split('.').next());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names
}

impl Field {
    /// Adds what it needs of a request.
    pub(super) fn add_to(self, needs: &mut Needs) {
        match self {
            Self::RequestUri
            | Self::Url
            | Self::UrlText
            | Self::UrlScheme
            | Self::UrlHost
            | Self::UrlPath
            | Self::UrlEscapedPath
            | Self::UrlRawQuery => needs.target = true,
            Self::Host => needs.host = true,
            Self::RemoteAddr => needs.remote_address = true,
            Self::TraceId => needs.trace_id = true,
            Self::Headers => needs.headers = HeaderNeeds::All,
            Self::UserAgent => needs.headers.add("user-agent"),
            Self::Referer => needs.headers.add("referer"),
            _ => {}
        }
    }

    /// Its value for a request.
    pub(super) fn value(self, entry: &Entry) -> Value<'_> {
        let foreign = |text| Value::Text(Text::foreign(text));
        let own = |text| Value::Text(Text::own(text));
        let header = |name| foreign(entry.headers.first(name).unwrap_or_default().into());
        let url = || Url::new(&entry.target);
        let Entry {
            response, revision, ..
        } = entry;
        match self {
            Self::Method => foreign(entry.method.as_str().into()),
            Self::RequestUri => foreign(entry.target.as_str().into()),
            Self::Proto => own(entry.protocol().into()),
            Self::ProtoMajor => Value::Whole(i64::from(entry.protocol().starts_with("HTTP/2")) + 1),
            Self::ProtoMinor => Value::Whole(entry.protocol().ends_with('1').into()),
            Self::Host => foreign(entry.host.as_str().into()),
            Self::RemoteAddr => own(entry.remote_address.as_str().into()),
            Self::ContentLength => Value::Whole(entry.content_length),
            Self::Headers => Value::Headers(&entry.headers),
            Self::UserAgent => header("user-agent"),
            Self::Referer => header("referer"),
            Self::Url => Value::Url(Text::foreign(url().text())),
            Self::UrlText => foreign(url().text().into()),
            Self::UrlScheme => foreign(url().scheme.to_ascii_lowercase().into()),
            Self::UrlHost => foreign(url().host.into()),
            Self::UrlPath => foreign(url().path()),
            Self::UrlEscapedPath => foreign(url().escaped_path()),
            Self::UrlRawQuery => foreign(url().query().into()),
            Self::Code => Value::Whole(response.code.into()),
            Self::Size => Value::Whole(response.size.try_into().unwrap_or(i64::MAX)),
            Self::Latency => Value::Decimal(response.latency.as_secs_f64()),
            Self::RevisionName => own(revision.name.as_str().into()),
            Self::RevisionNamespace => own(revision.namespace.as_str().into()),
            Self::RevisionService => own(revision.service.as_str().into()),
            Self::RevisionConfiguration => own(revision.configuration.as_str().into()),
            Self::Empty => own(Cow::default()),
            Self::TraceId => own(entry.trace_id.as_str().into()),
        }
    }
}
