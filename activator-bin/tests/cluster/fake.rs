//! An API server in this process that does what a test says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};
use tokio_rustls::TlsAcceptor;

use super::discovery::Discovery;
use super::store::{Query, Store};

/// How often a watch gets a bookmark.
const BOOKMARKS: Duration = Duration::from_millis(50);

/// What an API server does wrong, for one resource.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Every request gets this status.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// Nothing is sent any more, on old connections and new ones; none is closed.
    Stall,
    /// Every connection is closed in the middle of whatever it was doing.
    Close,
    /// Watches get this line.
    Line(String),
    /// Each watch gets this status as an event.
    Error(u16),
    /// Lists have to be read page by page.
    NotInMemory,
    /// A list has one more page after each.
    Endless,
    /// A list is sent byte by byte.
    Slow,
}

/// An API server. Dropping it stops it: connections are closed, and its port is free.
pub(crate) struct FakeApi {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    store: Mutex<Store>,
    faults: Mutex<HashMap<String, Fault>>,
    /// Something has changed: the store or the faults.
    changed: Notify,
    requests: Mutex<Vec<String>>,
    discovery: Mutex<Discovery>,
    /// Required of each request, if any.
    token: Mutex<Option<String>>,
    /// Without one it speaks without TLS.
    tls: Mutex<Option<TlsAcceptor>>,
    /// The lists that pages belong to.
    lists: Mutex<Vec<Vec<Value>>>,
}

impl FakeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::default();
        Self {
            address: listener.local_addr().unwrap(),
            serving: Some(tokio::spawn(serve(listener, Arc::clone(&shared)))),
            shared,
        }
    }

    /// Stops: nothing listens, and all connections break.
    pub(crate) async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = serving.await;
    }

    /// Starts again, on the same port.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = Some(tokio::spawn(serve(listener, Arc::clone(&self.shared))));
    }

    pub(crate) fn put(&self, resource: &str, object: Value) -> u64 {
        let version = self.shared.store.lock().put(resource, object);
        self.shared.changed.notify_waiters();
        version
    }

    pub(crate) fn delete(&self, resource: &str, namespace: &str, name: &str) {
        self.shared.store.lock().delete(resource, namespace, name);
        self.shared.changed.notify_waiters();
    }

    pub(crate) fn compact(&self) {
        self.shared.store.lock().compact();
    }

    /// From now on it does this wrong.
    pub(crate) fn fails(&self, resource: &str, fault: Fault) {
        self.shared.faults.lock().insert(resource.to_owned(), fault);
        self.shared.changed.notify_waiters();
    }

    /// From now on it does nothing wrong.
    pub(crate) fn heals(&self) {
        self.shared.faults.lock().clear();
        self.shared.changed.notify_waiters();
    }

    /// From now on it is without Knative.
    pub(crate) fn has_no_knative(&self) {
        self.shared.discovery.lock().is_without_knative = true;
    }

    /// From now on it says that these are not allowed, as in `list endpointslices`.
    pub(crate) fn refuses(&self, verbs: &[&'static str]) {
        self.shared.discovery.lock().refused = verbs.to_vec();
    }

    /// From now on it wants this token.
    pub(crate) fn requires(&self, token: &str) {
        *self.shared.token.lock() = Some(token.to_owned());
    }

    /// From now on connections are over TLS.
    pub(crate) fn speaks_tls(&self, acceptor: TlsAcceptor) {
        *self.shared.tls.lock() = Some(acceptor);
    }

    /// The paths of all lists of a resource so far.
    pub(crate) fn lists(&self, resource: &str) -> Vec<String> {
        let mut lists = self.requests(&format!("/{resource}?"));
        lists.retain(|it| !it.contains("watch=true"));
        lists
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.shared.tls.lock().is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// The paths of all requests so far, not encoded, that contain `part`.
    pub(crate) fn requests(&self, part: &str) -> Vec<String> {
        let requests = self.shared.requests.lock();
        requests
            .iter()
            .filter(|it| it.contains(part))
            .cloned()
            .collect()
    }
}

/// A connection, with or without TLS.
trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // They end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            socket.set_nodelay(true)?;
            let acceptor = shared.tls.lock().clone();
            // An error means that the client has disconnected.
            match acceptor {
                Some(acceptor) => connection(acceptor.accept(socket).await?, &shared).await,
                None => connection(socket, &shared).await,
            }
        });
    }
}

async fn connection(socket: impl Socket, shared: &Shared) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if socket.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let path = decoded(head.split(' ').nth(1).unwrap());
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        socket.read_exact(&mut body).await?;
        shared.requests.lock().push(path.clone());
        let token = shared.token.lock().clone();
        if token.is_some_and(|token| !head.contains(&format!("Bearer {token}\r\n"))) {
            respond_status(&mut socket, 401, &[]).await?;
            continue;
        }
        let answer = shared.discovery.lock().answer(&path, &body);
        match answer {
            Some(Ok(json)) => respond_json(&mut socket, &json.to_string()).await?,
            Some(Err(code)) => respond_status(&mut socket, code, &[]).await?,
            None => {
                if !respond(&mut socket, &path, shared).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// Returns whether the connection stays open.
async fn respond(
    socket: &mut BufReader<impl Socket>,
    path: &str,
    shared: &Shared,
) -> std::io::Result<bool> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters: HashMap<&str, &str> = query
        .split('&')
        .filter_map(|it| it.split_once('='))
        .collect();
    let parameter = |name| parameters.get(name).copied().unwrap_or("");
    let (query, single) = asked(path, parameter("labelSelector"), parameter("fieldSelector"));
    let fault = shared.faults.lock().get(&query.resource).cloned();
    match &fault {
        Some(Fault::Status(code, headers)) => {
            respond_status(socket, *code, headers).await?;
            return Ok(true);
        }
        Some(Fault::Stall) => until_healed(shared, &query.resource).await,
        Some(Fault::Close) => return Ok(false),
        _ => {}
    }
    if single {
        let found = shared.store.lock().list(&query).pop();
        match found {
            Some(object) => respond_json(socket, &object.to_string()).await?,
            None => respond_status(socket, 404, &[]).await?,
        }
        return Ok(true);
    }
    if !parameter("watch").is_empty() {
        let version = parameter("resourceVersion").parse().unwrap();
        let length = Duration::from_secs(parameter("timeoutSeconds").parse().unwrap());
        assert_eq!(parameter("allowWatchBookmarks"), "true");
        return watch(socket, &query, version, length, shared).await;
    }
    // Without it all, as it is in memory.
    let limit = parameter("limit").parse().unwrap_or(usize::MAX);
    let version = parameter("resourceVersion").parse().unwrap_or(0);
    let is_in_memory = limit < usize::MAX || !matches!(fault, Some(Fault::NotInMemory));
    if version > shared.store.lock().version() || !is_in_memory {
        respond_status(socket, 504, &[]).await?;
        return Ok(true);
    }
    if version > 0 {
        assert_eq!(parameter("resourceVersionMatch"), "NotOlderThan");
    }
    let page = page(&query, limit, parameter("continue"), &fault, shared);
    let page = page.to_string();
    if matches!(fault, Some(Fault::Slow)) {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", page.len());
        socket.write_all(head.as_bytes()).await?;
        for byte in page.bytes() {
            socket.write_u8(byte).await?;
            sleep(Duration::from_millis(20)).await;
        }
    } else {
        respond_json(socket, &page).await?;
    }
    Ok(true)
}

/// One page. A token is the number of a list and how much of it has been sent.
fn page(query: &Query, limit: usize, token: &str, fault: &Option<Fault>, shared: &Shared) -> Value {
    let store = shared.store.lock();
    let mut lists = shared.lists.lock();
    let (list, begin) = if token.is_empty() {
        lists.push(store.list(query));
        (lists.len() - 1, 0)
    } else {
        let mut parts = token.split('-').map(|it| it.parse().unwrap());
        (parts.next().unwrap(), parts.next().unwrap())
    };
    let objects = &lists[list];
    let end = begin.saturating_add(limit).min(objects.len());
    let is_endless = matches!(fault, Some(Fault::Endless));
    let next = if end < objects.len() {
        format!("{list}-{end}")
    } else if is_endless {
        // Another one each time.
        format!("{list}-{end}-{}", shared.requests.lock().len())
    } else {
        String::new()
    };
    json!({
        "kind": "List",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": store.version().to_string(), "continue": next},
        "items": objects.get(begin..end).unwrap_or(&[]),
    })
}

async fn watch(
    socket: &mut BufReader<impl Socket>,
    query: &Query,
    mut version: u64,
    length: Duration,
    shared: &Shared,
) -> std::io::Result<bool> {
    let until = Instant::now() + length;
    let mut bookmarks = interval(BOOKMARKS);
    if shared.store.lock().since(version, query).is_err() {
        respond_status(socket, 410, &[]).await?;
        return Ok(true);
    }
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    let mut is_bookmark = false;
    loop {
        let changed = shared.changed.notified();
        let mut lines = Vec::new();
        let fault = shared.faults.lock().get(&query.resource).cloned();
        match fault {
            Some(Fault::Stall) => until_healed(shared, &query.resource).await,
            Some(Fault::Close | Fault::Status(..)) => return Ok(false),
            Some(Fault::Error(code)) => {
                let status = json!({"kind": "Status", "code": code, "message": "told to"});
                lines.push(json!({"type": "ERROR", "object": status}).to_string());
            }
            Some(Fault::Line(line)) => {
                shared.faults.lock().remove(&query.resource);
                lines.push(line);
            }
            _ => {}
        }
        let found = {
            let store = shared.store.lock();
            let found = store.since(version, query);
            version = store.version();
            found
        };
        let Ok(found) = found else {
            return Ok(false);
        };
        lines.extend(found);
        if is_bookmark {
            let metadata = json!({"resourceVersion": version.to_string()});
            lines.push(json!({"type": "BOOKMARK", "object": {"metadata": metadata}}).to_string());
        }
        for line in lines {
            let chunk = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
            socket.write_all(chunk.as_bytes()).await?;
        }
        is_bookmark = tokio::select! {
            () = changed => false,
            _ = bookmarks.tick() => true,
            () = tokio::time::sleep_until(until) => break,
            // It sends nothing: it has disconnected.
            _ = socket.read_u8() => return Ok(false),
        };
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}

async fn until_healed(shared: &Shared, resource: &str) {
    loop {
        let changed = shared.changed.notified();
        if !matches!(shared.faults.lock().get(resource), Some(Fault::Stall)) {
            // Those who were stalled stay so.
            return std::future::pending().await;
        }
        changed.await;
    }
}

async fn respond_json(socket: &mut BufReader<impl Socket>, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body.as_bytes()).await
}

async fn respond_status(
    socket: &mut BufReader<impl Socket>,
    code: u16,
    headers: &[(&str, &str)],
) -> std::io::Result<()> {
    let body = json!({"kind": "Status", "code": code, "message": format!("told to say {code}")});
    let (body, mut head) = (body.to_string(), format!("HTTP/1.1 {code} X\r\n"));
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body.as_bytes()).await
}

/// What a path asks for, and whether that is a single object.
fn asked(path: &str, labels: &str, field: &str) -> (Query, bool) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = if parts[0] == "api" {
        &parts[2..]
    } else {
        &parts[3..]
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let name = field
        .strip_prefix("metadata.name=")
        .or(rest.get(1).copied());
    let query = Query {
        resource: rest[0].to_owned(),
        namespace,
        labels: labels.to_owned(),
        name: name.map(str::to_owned),
    };
    (query, rest.len() > 1)
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
            let digits = str::from_utf8(&digits).unwrap();
            decoded.push(u8::from_str_radix(digits, 16).unwrap());
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).unwrap()
}
