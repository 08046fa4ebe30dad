//! What shows that a program is ready, over whatever it is reached.

use std::os::unix::fs::PermissionsExt;

use activator_bin::testing::launch::{LaunchSpec, PortSpec, Ready};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::scene::{Instance, eventually, launch, process};

/// How instances are launched that run this program.
fn python(program: &str, port: PortSpec, ready: Ready) -> LaunchSpec {
    let mut spec = process(&["python3", "-u", "-c", program, "{port}", "{socket}"]);
    spec.port = port;
    let mut spec = launch(spec);
    spec.ready = ready;
    spec
}

fn http() -> Ready {
    Ready::Http("/healthz?deep=1".to_owned())
}

/// A server whose every response has the status that its function `status` says.
const SERVE: &str = "
import http.server, os, socket, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status(self))
        self.end_headers()
        self.wfile.write(b'x' * 1000000)
    def log_message(self, *_): pass
    def address_string(self): return 'client'
";

/// A server whose responses have these statuses in turn, the last one from then on. It says `said` of each request.
fn responding(statuses: &[u16], said: &str) -> String {
    format!(
        "{SERVE}
asked = 0
def status(request):
    global asked
    asked += 1
    print('asked', {said})
    return {statuses:?}[min(asked, {}) - 1]
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()",
        statuses.len()
    )
}

#[tokio::test]
async fn a_program_that_opens_its_port_too_early_is_ready_when_it_says_so() {
    let said = "request.path, request.headers['Host'], request.headers['User-Agent'].startswith('activator/')";
    let program = responding(&[503, 404, 500, 204], said);
    let mut instance = Instance::start(python(&program, PortSpec::Auto, http()));
    instance.ready().await;
    let address = instance.running.places()[0].address;
    let asked = format!("asked /healthz?deep=1 {address} True");
    assert_eq!(instance.running.tail(), vec![asked; 4]);
    instance.running.stop();
    instance.ended().await;
}

#[tokio::test]
async fn a_program_with_nothing_at_its_root_is_ready_unless_something_else_was_asked_for() {
    let program = responding(&[500, 503, 404], "request.path");
    let mut instance = Instance::start(python(&program, PortSpec::Auto, Ready::Serving));
    instance.ready().await;
    assert_eq!(instance.running.tail(), vec!["asked /"; 3]);
    instance.running.stop();
    instance.ended().await;
}

#[tokio::test]
async fn a_program_that_is_not_ready_in_time_is_said_to_listen_elsewhere() {
    let program = "
import socket, sys, time
listener = socket.create_server(('127.0.0.1', 0))
print('listening on', listener.getsockname()[1])
time.sleep(1000)";
    let mut instance = Instance::start(python(program, PortSpec::Auto, http()));
    let port = instance.says("listening on ").await;
    instance.pid().await;
    instance.running.kill();
    let how = instance.ended().await;
    let end = format!("; but it listens on 127.0.0.1:{port}");
    assert!(
        how.starts_with("was not ready in time: ") && how.ends_with(&end),
        "{how}"
    );
}

#[tokio::test]
async fn what_a_program_responded_that_never_was_ready_is_said() {
    let program = format!(
        "{SERVE}
def status(request):
    print('asked')
    return 404
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()"
    );
    let mut instance = Instance::start(python(&program, PortSpec::Auto, http()));
    // The first response has arrived when there is a second request.
    eventually("two requests", || {
        (instance.running.tail().len() >= 2).then_some(())
    })
    .await;
    instance.running.kill();
    let expected = "was not ready in time: GET /healthz?deep=1 is answered with status 404";
    assert_eq!(instance.ended().await, expected);
}

#[tokio::test]
async fn a_program_may_respond_with_anything() {
    let program = "
import socket, sys, time
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
heads = [b'', b'\\0' * 100, b'HTTP/1.1 200 OK\\r\\n' + b'x: ' + b'y' * 1000000, b'HTTP/1.1 100 Continue\\r\\n\\r\\n' * 1000,
         b'HTTP/1.1 302 Found\\r\\nContent-Length: 1000000000000\\r\\n\\r\\n']
for head in heads:
    peer, _ = listener.accept()
    peer.recv(10000)
    try: peer.sendall(head)
    except OSError: pass
    print('sent', len(head))
    if len(head) and head[-1] == 10 and b'302' in head:
        try:
            while True: peer.sendall(b'z' * 100000)
        except OSError: print('enough')
    peer.close()
time.sleep(1000)";
    let mut instance = Instance::start(python(program, PortSpec::Auto, http()));
    instance.ready().await;
    // Its endless response is not read to the end.
    instance.says("enough").await;
    instance.running.stop();
    instance.ended().await;
}

#[tokio::test]
async fn a_program_is_reached_over_the_socket_that_it_makes() {
    let program = format!(
        "{SERVE}
def status(request):
    print('asked', request.headers['Host'])
    return 200
import socketserver
class Server(socketserver.UnixStreamServer):
    def get_request(self):
        request, _ = super().get_request()
        return request, ('client', 0)
print('directory', oct(os.stat(os.path.dirname(sys.argv[2])).st_mode))
assert os.environ['SOCKET'] == sys.argv[2]
Server(sys.argv[2], Handler).serve_forever()"
    );
    let mut instance = Instance::start(python(&program, PortSpec::Socket, http()));
    instance.ready().await;
    assert_eq!(
        instance.running.tail()[..2],
        ["directory 0o40700", "asked localhost"]
    );
    let [place] = instance.running.places() else {
        panic!("one place");
    };
    let socket = place.socket.clone().unwrap();
    UnixStream::connect(&socket).await.unwrap();
    instance.running.stop();
    instance.ended().await;
    assert!(!socket.parent().unwrap().exists());
}

#[tokio::test]
async fn a_program_is_passed_the_socket_that_it_serves() {
    let program = format!(
        "{SERVE}
def status(request): return 200
assert int(os.environ['LISTEN_PID']) == os.getpid()
print('passed', os.environ['LISTEN_FDS'], os.environ['LISTEN_FDNAMES'], sys.argv[1], os.environ.get('PORT'))
print('open', sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4])
server = http.server.HTTPServer(None, Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
assert server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
server.serve_forever()"
    );
    let mut instance = Instance::start(python(&program, PortSpec::Passed, http()));
    let address = instance.running.places()[0].address;
    // It may take its time: whoever connects is in its queue.
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    instance.ready().await;
    let passed = ["passed 1 http {port} None", "open [0, 1, 2, 3]"];
    assert_eq!(instance.running.tail()[..2], passed);
    let mut response = Vec::new();
    waiting.read_to_end(&mut response).await.unwrap();
    assert!(response.starts_with(b"HTTP/1.0 200 OK\r\n"));
    instance.running.stop();
    assert_eq!(instance.ended().await, "was ended by SIGTERM");
    // Nobody but the program had it.
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_program_says_itself_that_it_is_ready() {
    let program = "
import os, socket, sys, threading, time
path = os.environ['NOTIFY_SOCKET']
print('mode', oct(os.stat(os.path.dirname(path)).st_mode))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(path)
for message in [b'', b'STATUS=READY=1', b'\\0' * 10000, b'READY=0', b'READY=1\\0']: notify.send(message)
print('loading')
sys.stdin.close()
while not os.path.exists(path + '.go'): time.sleep(0.005)
notify.send(b'STATUS=up\\nREADY=1\\n')
for _ in range(1000): notify.send(b'WATCHDOG=1')
print('never blocked')
time.sleep(1000)";
    let mut instance = Instance::start(python(program, PortSpec::Auto, Ready::Notify));
    instance.says("loading").await;
    assert_eq!(instance.running.tail()[0], "mode 0o40700");
    let pid = instance.pid().await;
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split('\0');
    let path = variables
        .find_map(|it| it.strip_prefix("NOTIFY_SOCKET="))
        .unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_ne!(mode & 0o200, 0, "its user may write");
    std::fs::write(format!("{path}.go"), "").unwrap();
    instance.ready().await;
    instance.says("never blocked").await;
    instance.running.stop();
    instance.ended().await;
    assert!(!std::path::Path::new(path).exists());
}

#[tokio::test]
async fn a_program_that_never_says_that_it_is_ready_is_not() {
    let mut instance = Instance::start(python("input()", PortSpec::Auto, Ready::Notify));
    assert_eq!(instance.ended().await, "exited with code 1");
    let mut instance = Instance::start(python(
        "import time; time.sleep(1000)",
        PortSpec::Auto,
        Ready::Notify,
    ));
    instance.pid().await;
    instance.running.kill();
    let expected = "was not ready in time: it has not sent READY=1 to $NOTIFY_SOCKET";
    assert_eq!(instance.ended().await, expected);
}
