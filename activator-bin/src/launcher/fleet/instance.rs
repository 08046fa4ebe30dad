//! One instance: its states, and the actions that lead from one to the next.
//!
//! What must not live here: when it is to change.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::action::Action;
use super::state::{Cause, InstanceId, StartCause, State, StopCause};
use super::step::Step;
use crate::revision::LaunchSpec;
use crate::revision::launch::Start;

/// The longest that an idle instance keeps its place while another revision waits for it.
const LONGEST_REST: Duration = Duration::from_secs(1);
/// How long SIGKILL may take before it is sent again.
const KILL_PAUSE: Duration = Duration::from_secs(10);
/// How long an instance that was busy is left alone before it is asked again.
const BUSY_PAUSE: Duration = Duration::from_secs(10);
/// How long it may take to say so before it is asked again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// An instance that is not gone.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    key: RevisionKey,
    pub(super) index: u32,
    /// What was started.
    spec: Arc<LaunchSpec>,
    /// Its revision was removed since it was started: the one by that name is another.
    pub(super) is_retired: bool,
    pub(super) phase: Phase,
    /// Since when it has been in this phase.
    pub(super) since: Duration,
    /// Why it was started.
    start_cause: StartCause,
    /// When it was last started or woken; from then on it was there for requests.
    pub(super) up_since: Duration,
    /// How long it took to become ready.
    start_took: Duration,
    /// The number of its last `Withdraw`.
    withdrawal: u64,
    check: Check,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready,
    Frozen,
    Draining(StopCause),
    Stopping {
        cause: StopCause,
        /// When it is killed, if need be once more.
        kill_at: Duration,
        /// How often it has been killed.
        kills: u32,
    },
}

/// What is known of whether it is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// Nothing.
    Unasked,
    /// It was asked, and is asked again at this time. What it says counts, unless there was a request since.
    Asked { until: Duration, is_void: bool },
    /// It was busy, and is asked again at this time.
    Busy { until: Duration },
    /// It is not. Holds for this step.
    Free,
}

/// Whether an instance may be let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Granted,
    /// It has been asked.
    Asked,
    Refused,
}

impl Instance {
    /// Starts one.
    pub(super) fn start(
        key: &RevisionKey,
        index: u32,
        spec: &Arc<LaunchSpec>,
        cause: StartCause,
        step: &mut Step<'_>,
    ) -> Self {
        let id = step.register(key);
        step.act(Action::Start {
            id,
            key: key.clone(),
            index,
            spec: Arc::clone(spec),
            cause,
        });
        step.act(Action::Changed {
            id,
            key: key.clone(),
            index,
            from: None,
            to: Some(State::Starting),
            cause: Cause::Start(cause),
            after: Duration::ZERO,
            note: String::new(),
        });
        Self {
            id,
            key: key.clone(),
            index,
            spec: Arc::clone(spec),
            is_retired: false,
            phase: Phase::Starting,
            since: step.now,
            start_cause: cause,
            up_since: step.now,
            start_took: Duration::ZERO,
            withdrawal: 0,
            check: Check::Unasked,
        }
    }

    /// Whether this is what would be started by now.
    pub(super) fn is_current(&self, spec: &LaunchSpec) -> bool {
        !self.is_retired && self.spec.start == spec.start && self.spec.ready == spec.ready
    }

    /// How long it has to be idle before it makes room for another revision: as long as its start took, which is what
    /// leaving too early costs, and no longer than anybody would mind. So two that take turns between two requests of
    /// each do not thrash.
    pub(super) fn rest(&self) -> Duration {
        self.start_took.min(LONGEST_REST)
    }

    /// Whether this is the number of its last `Withdraw`.
    pub(super) fn is_withdrawal(&self, number: u64) -> bool {
        self.withdrawal == number
    }

    /// Whether it is drained for another revision.
    pub(super) fn is_evicted(&self) -> bool {
        self.phase == Phase::Draining(StopCause::Evicted)
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Starting => State::Starting,
            Phase::Ready => State::Ready,
            Phase::Frozen => State::Frozen,
            Phase::Draining(_) => State::Draining,
            Phase::Stopping { .. } => State::Stopping,
        }
    }

    /// It has become ready by itself.
    pub(super) fn on_ready(&mut self, step: &mut Step<'_>) {
        self.start_took = step.now.saturating_sub(self.since);
        self.up_since = step.now;
        step.act(Action::Admit(self.id));
        let cause = Cause::Start(self.start_cause);
        self.enter(Phase::Ready, cause, String::new(), step);
    }

    /// Wakes it if it is frozen, or gives it requests again if it is drained.
    pub(super) fn admit(&mut self, cause: StartCause, step: &mut Step<'_>) {
        if self.phase == Phase::Frozen {
            self.up_since = step.now;
            step.act(Action::Thaw(self.id));
        }
        step.act(Action::Admit(self.id));
        self.enter(Phase::Ready, Cause::Start(cause), String::new(), step);
    }

    /// Gives it no more requests.
    pub(super) fn withdraw(&mut self, cause: StopCause, step: &mut Step<'_>) {
        self.withdrawal += 1;
        self.check = Check::Unasked;
        step.act(Action::Withdraw(self.id, self.withdrawal));
        let phase = Phase::Draining(cause);
        self.enter(phase, Cause::Stop(cause), String::new(), step);
    }

    /// Freezes it once it has no requests.
    pub(super) fn freeze(&mut self, cause: StopCause, step: &mut Step<'_>) {
        step.act(Action::Freeze(self.id));
        self.enter(Phase::Frozen, Cause::Stop(cause), String::new(), step);
    }

    /// Stops it once it has no requests. A process that SIGSTOP has stopped would not see the signal.
    pub(super) fn stop(&mut self, cause: StopCause, timeout: Duration, step: &mut Step<'_>) {
        if self.phase == Phase::Frozen {
            step.act(Action::Thaw(self.id));
        }
        step.act(Action::Stop(self.id));
        let phase = Phase::Stopping {
            cause,
            kill_at: step.now.saturating_add(timeout),
            kills: 0,
        };
        self.enter(phase, Cause::Stop(cause), String::new(), step);
    }

    /// It was not ready in time. A process is not worth a signal then; what else there is has a command to stop it.
    pub(super) fn give_up(&mut self, note: String, timeout: Duration, step: &mut Step<'_>) {
        let cause = StopCause::StartFailed;
        let (kill_at, kills) = match self.spec.start {
            Start::Process(_) => {
                step.act(Action::Kill(self.id));
                (KILL_PAUSE, 1)
            }
            Start::Commands { .. } => {
                step.act(Action::Stop(self.id));
                (timeout, 0)
            }
        };
        let phase = Phase::Stopping {
            cause,
            kill_at: step.now.saturating_add(kill_at),
            kills,
        };
        self.enter(phase, Cause::Stop(cause), note, step);
    }

    /// Kills it if it should have ended by now.
    pub(super) fn on_time(&mut self, step: &mut Step<'_>) {
        let Phase::Stopping {
            cause,
            kill_at,
            kills,
        } = self.phase
        else {
            return;
        };
        if step.now < kill_at {
            return;
        }
        step.act(Action::Kill(self.id));
        self.phase = Phase::Stopping {
            cause,
            kill_at: step.now.saturating_add(KILL_PAUSE),
            kills: kills.saturating_add(1),
        };
        if kills == 1 {
            let note = format!("still there {KILL_PAUSE:?} after SIGKILL; its place stays taken");
            let state = Some(State::Stopping);
            self.tell(state, state, Cause::Stop(cause), note, step);
        }
    }

    /// It is gone.
    pub(super) fn end(mut self, how: String, step: &mut Step<'_>) {
        let cause = match self.phase {
            Phase::Starting => StopCause::StartFailed,
            Phase::Ready | Phase::Frozen | Phase::Draining(_) => StopCause::Crash,
            Phase::Stopping { cause, .. } => cause,
        };
        if self.phase == Phase::Ready {
            self.withdrawal += 1;
            step.act(Action::Withdraw(self.id, self.withdrawal));
        }
        self.tell(Some(self.state()), None, Cause::Stop(cause), how, step);
        step.forget(self.id);
    }

    /// Whether it may be let go of. Asks it if that is not known.
    pub(super) fn ask(&mut self, spec: &LaunchSpec, step: &mut Step<'_>) -> Leave {
        if spec.busy_check.is_none() {
            return Leave::Granted;
        }
        match self.check {
            Check::Free => return Leave::Granted,
            Check::Busy { until } if step.now < until => return Leave::Refused,
            Check::Asked { until, .. } if step.now < until => return Leave::Asked,
            _ => {}
        }
        step.act(Action::AskBusy(self.id));
        self.check = Check::Asked {
            until: step.now.saturating_add(BUSY_TIMEOUT),
            is_void: false,
        };
        Leave::Asked
    }

    /// It has said whether it is busy.
    pub(super) fn on_busy(&mut self, is_busy: bool, now: Duration) {
        if let Check::Asked { is_void, .. } = self.check {
            self.check = match (is_void, is_busy) {
                (true, _) => Check::Unasked,
                (false, true) => Check::Busy {
                    until: now.saturating_add(BUSY_PAUSE),
                },
                (false, false) => Check::Free,
            };
        }
    }

    /// There was a request since it was asked.
    pub(super) fn on_used(&mut self) {
        match &mut self.check {
            Check::Asked { is_void, .. } => *is_void = true,
            check => *check = Check::Unasked,
        }
    }

    /// What it has said is not known for longer than a step.
    pub(super) fn on_step_end(&mut self) {
        if self.check == Check::Free {
            self.check = Check::Unasked;
        }
    }

    /// When it may be asked again.
    pub(super) fn asked_until(&self) -> Option<Duration> {
        match self.check {
            Check::Asked { until, .. } | Check::Busy { until } => Some(until),
            Check::Unasked | Check::Free => None,
        }
    }

    fn enter(&mut self, phase: Phase, cause: Cause, note: String, step: &mut Step<'_>) {
        let from = self.state();
        self.phase = phase;
        self.tell(Some(from), Some(self.state()), cause, note, step);
        self.since = step.now;
    }

    fn tell(
        &self,
        from: Option<State>,
        to: Option<State>,
        cause: Cause,
        note: String,
        step: &mut Step<'_>,
    ) {
        step.act(Action::Changed {
            id: self.id,
            key: self.key.clone(),
            index: self.index,
            from,
            to,
            cause,
            after: step.now.saturating_sub(self.since),
            note,
        });
    }
}
