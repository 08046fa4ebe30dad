//! gunicorn, with a socket that it is passed.

use std::thread;

use anyhow::Result;

use super::expect;
use super::trial::Trial;

const HOST: &str = "shop.example.org";
const REQUESTS: usize = 50;

pub(super) fn run() -> Result<()> {
    let trial = Trial::new("gunicorn", &[])?;
    let activator = trial.start()?;
    let ask = || expect(&trial.get(HOST, "/")?, &format!("hello from {HOST}"));
    thread::scope(|scope| {
        let asked: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(ask)).collect();
        let mut asked = asked.into_iter();
        asked.try_for_each(|asked| asked.join().expect("a client does not panic"))
    })?;
    trial.stop(activator)
}
