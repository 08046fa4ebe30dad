//! Connections that are idle for too long, or during a drain.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::scene::{REQUEST, Scene, ask, backend, connect};
use crate::limits::Limits;

const COUNT: usize = 60;

/// What arrives until the end.
fn rest(client: &mut TcpStream) -> String {
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    rest
}

/// How many are closed, without having anything else to read.
fn closed(clients: &mut [TcpStream]) -> usize {
    let closed = clients.iter_mut().filter(|client| {
        client.set_nonblocking(true).unwrap();
        let read = (&**client).read(&mut [0; 16]);
        client.set_nonblocking(false).unwrap();
        matches!(read, Ok(0))
    });
    closed.count()
}

fn idle_clients(scene: &Scene) -> Vec<TcpStream> {
    let (_, clients) = scene.during(|address| {
        let mut clients = connect(COUNT, address);
        clients.iter_mut().for_each(ask);
        clients
    });
    clients
}

#[test]
fn a_client_that_is_idle_for_too_long_is_disconnected_and_one_in_use_is_not() {
    let timeout = Limits::default().client_idle_timeout;
    let scene = Scene::warm(backend(1));
    let mut clients = idle_clients(&scene);
    scene.pass(1, timeout / 2);
    let used = clients.pop().unwrap();
    let (_, mut used) = scene.during(|_| {
        let mut used = used;
        ask(&mut used);
        used
    });
    scene.pass(1, timeout / 4 * 3);
    assert_eq!(closed(&mut clients), clients.len());
    assert_eq!(closed(std::slice::from_mut(&mut used)), 0);
}

#[test]
fn during_drain_delay_idle_clients_are_disconnected_one_after_the_other() {
    const DELAY: Duration = Duration::from_secs(1_000);
    let scene = Scene::warm(backend(1));
    let mut clients = idle_clients(&scene);
    // Half of them are at rest when it is announced.
    scene.pass(4, Duration::from_secs(10));
    for client in &clients[..COUNT / 2] {
        let client = client.try_clone().unwrap();
        scene.during(move |_| ask(&mut { client }));
    }
    scene.drain.announce(DELAY);
    scene.pass(1, Duration::ZERO);
    scene.pass(1, DELAY / 2);
    let half_way = closed(&mut clients);
    assert!((1..COUNT).contains(&half_way), "{half_way}");
    scene.pass(1, DELAY / 2);
    assert_eq!(closed(&mut clients), COUNT);
}

#[test]
fn a_request_at_the_moment_of_closing_is_served_before_its_connection_closes() {
    const DELAY: Duration = Duration::from_secs(1_000);
    let scene = Scene::warm(backend(1));
    let mut clients = idle_clients(&scene);
    scene.pass(4, Duration::from_secs(10));
    scene.drain.announce(DELAY);
    scene.pass(1, Duration::ZERO);
    // The worker does not run meanwhile, and finds the requests when the moments have come.
    for client in &mut clients {
        client.write_all(REQUEST).unwrap();
    }
    scene.pass(1, DELAY - Duration::from_secs(1));
    let (_, responses) = scene.during(move |_| clients.iter_mut().map(rest).collect::<Vec<_>>());
    for response in responses {
        assert!(response.contains("Connection: close\r\n"), "{response}");
        assert!(response.ends_with("\r\n\r\nhello"), "{response}");
    }
}
