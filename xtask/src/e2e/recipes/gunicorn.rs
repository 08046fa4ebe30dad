//! gunicorn on a unix socket, and with a socket that it is passed.

use std::thread;

use anyhow::Result;

use super::expect;
use super::trial::Trial;

const HOSTS: [&str; 2] = ["shop.example.org", "fd.shop.example.org"];
const REQUESTS: usize = 50;

pub(super) fn run() -> Result<()> {
    let trial = Trial::new("gunicorn", &[])?;
    let activator = trial.start()?;
    for host in HOSTS {
        let ask = || expect(&trial.get(host, "/")?, &format!("hello from {host}"));
        thread::scope(|scope| {
            let asked: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(ask)).collect();
            let mut asked = asked.into_iter();
            asked.try_for_each(|asked| asked.join().expect("a client does not panic"))
        })?;
    }
    trial.stop(activator)
}
