//! The obvious autoscaler: it keeps everything that has ever happened, and looks at all of it for each decision.

use super::*;

pub(super) struct Naive {
    settings: ScaleSettings,
    container_concurrency: u32,
    created: Duration,
    ready_at_creation: u32,
    /// Seconds and what was recorded then, in the order of time.
    records: Vec<(u64, f64)>,
    ticks: Vec<Tick>,
}

/// A decision that was made, with what it was made from.
#[derive(Clone, Copy)]
struct Tick {
    at: Duration,
    ready: u32,
    stable: f64,
    panic: f64,
}

impl Naive {
    pub(super) fn new(
        settings: &ScaleSettings,
        container_concurrency: u32,
        ready: u32,
        now: Duration,
    ) -> Self {
        Self {
            settings: settings.clone(),
            container_concurrency,
            created: now,
            ready_at_creation: ready,
            records: Vec::new(),
            ticks: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, concurrency: f64, now: Duration) {
        let concurrency = match concurrency {
            it if it.is_nan() || it < 0.0 => 0.0,
            it if it > 4294967295.0 => 4294967295.0,
            it => it,
        };
        self.records.push((now.as_secs(), concurrency));
    }

    pub(super) fn tick(&mut self, ready: u32, now: Duration) -> u32 {
        self.ticks.push(Tick {
            at: now,
            ready,
            stable: self.average(now.as_secs(), self.stable_seconds()),
            panic: self.average(now.as_secs(), self.panic_seconds()),
        });
        let last = self.ticks.len() - 1;
        self.wanted(last)
    }

    pub(super) fn in_panic(&self) -> bool {
        self.panic_before(self.ticks.len() - 1)
    }

    fn stable_seconds(&self) -> u64 {
        self.settings.stable_window.as_secs()
    }

    fn panic_seconds(&self) -> u64 {
        let percentage = self.settings.panic_window_percentage;
        let seconds = self.stable_seconds() as f64 * percentage / 100.0;
        seconds.round().max(1.0) as u64
    }

    fn average(&self, now: u64, window: u64) -> f64 {
        let Some(&(last, _)) = self.records.last() else {
            return 0.0;
        };
        if now - last >= window {
            return 0.0;
        }
        // It begins after the last gap that is as long as the window.
        let mut first = last;
        for &(second, _) in self.records.iter().rev() {
            if first - second >= window {
                break;
            }
            first = second;
        }
        let within = self.records.iter().filter(|record| record.0 + window > now);
        let sum: f64 = within.map(|record| record.1).sum();
        let seconds = (last - first + 1).min(window - (now - last));
        (sum / seconds as f64 * 1e6).round() / 1e6
    }

    fn needed(&self, average: f64) -> f64 {
        let limit = f64::from(self.container_concurrency);
        let capacity = match (self.settings.target, self.container_concurrency) {
            (Some(target), 0) => target,
            (Some(target), _) => target.min(limit),
            (None, 0) => 100.0,
            (None, _) => limit,
        };
        let default = if matches!(self.container_concurrency, 1..=3) {
            1.0
        } else {
            0.7
        };
        let utilization = self.settings.target_utilization.unwrap_or(default);
        (average / (capacity * utilization).max(0.01)).ceil()
    }

    /// Without panic and delay.
    fn limited(&self, average: f64, ready: u32) -> f64 {
        let ready = f64::from(ready.max(1));
        let needed = self.needed(average);
        let limited = needed.max((ready / 2.0).floor()).min(ready * 1000.0);
        match self.settings.activation_scale {
            Some(activation) if needed > 0.0 => limited.max(f64::from(activation)),
            _ => limited,
        }
    }

    /// Whether a cause of a panic, at a tick or at creation, is at most a window before this tick.
    fn panic_before(&self, tick: usize) -> bool {
        let caused = |tick: &Tick| {
            let ready = f64::from(tick.ready.max(1));
            let threshold = self.settings.panic_threshold_percentage / 100.0;
            self.needed(tick.panic) / ready >= threshold
        };
        let causes = self.ticks[..=tick].iter().filter(|tick| caused(tick));
        let mut causes: Vec<Duration> = causes.map(|tick| tick.at).collect();
        if self.ready_at_creation > 1 {
            causes.push(self.created);
        }
        let now = self.ticks[tick].at;
        let window = self.settings.stable_window;
        causes.iter().any(|&cause| now <= cause + window)
    }

    fn before_delay(&self, tick: usize) -> f64 {
        let by_stable = |at: usize| self.limited(self.ticks[at].stable, self.ticks[at].ready);
        let by_panic = |at: usize| self.limited(self.ticks[at].panic, self.ticks[at].ready);
        if !self.panic_before(tick) {
            return by_stable(tick);
        }
        let panicking = (0..=tick).rev().take_while(|&at| self.panic_before(at));
        let begin = panicking.last().unwrap();
        let largest = (begin..=tick).map(|at| by_stable(at).max(by_panic(at)));
        let largest = largest.fold(0.0, f64::max);
        // Those that were there at creation are only forgotten at the end of a panic.
        let first = (0..begin).all(|at| !self.panic_before(at));
        match first {
            true => largest.max(f64::from(self.ready_at_creation)),
            false => largest,
        }
    }

    fn desired(&self, tick: usize) -> u32 {
        let slot = |tick: usize| self.ticks[tick].at.as_secs() / 2;
        let delay = self.settings.scale_down_delay.as_secs().div_ceil(2);
        let newest = (0..=tick).filter(|&at| at == tick || slot(tick) - slot(at) < delay);
        let desired = newest.map(|at| self.before_delay(at)).fold(0.0, f64::max);
        let initial = self.settings.initial_scale.min(self.settings.max_scale);
        let reached = self.ticks[..=tick].iter().any(|tick| tick.ready >= initial);
        let mut fewest = self.settings.min_scale;
        if desired > 0.0 && !reached {
            fewest = fewest.max(initial);
        }
        (desired as u32).max(fewest).min(self.settings.max_scale)
    }

    fn wanted(&self, tick: usize) -> u32 {
        let desired = self.desired(tick);
        if desired > 0 {
            return desired;
        }
        if self.is_new(tick) {
            return 1;
        }
        // When the last instance was no longer asked for, and not new.
        let before = match tick.checked_sub(1) {
            Some(before) => self.wanted(before),
            None => self.ready_at_creation,
        };
        if before == 0 {
            return 0;
        }
        let kept = (0..=tick).rev().take_while(|&at| self.desired(at) == 0);
        let since = kept
            .filter(|&at| !self.is_new(at))
            .map(|at| self.ticks[at].at)
            .min()
            .unwrap();
        let retention = self.settings.scale_to_zero_pod_retention_period;
        u32::from(self.ticks[tick].at - since < retention)
    }

    /// Whether the instances that are ready have been so for less than a window.
    fn is_new(&self, tick: usize) -> bool {
        let ready = (0..=tick)
            .rev()
            .take_while(|&at| self.ticks[at].ready > 0)
            .last();
        let since = match ready {
            Some(0) if self.ready_at_creation > 0 => self.created,
            Some(since) => self.ticks[since].at,
            None => return false,
        };
        self.ticks[tick].at - since < self.settings.stable_window
    }
}
