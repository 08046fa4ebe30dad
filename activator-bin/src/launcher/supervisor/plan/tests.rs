//! Histories of instances among processes that do what processes do: each ends, once, and nothing of it is left.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::launcher::supervisor::order::Surroundings;

const STOP_SIGNAL: i32 = 15;
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// More than anything takes.
const LONG: Duration = Duration::from_secs(100);

/// What happens, besides what follows from it.
#[derive(Clone, Debug)]
enum Step {
    Pass(u16),
    Command(Command),
    Orphaned,
    /// The process becomes the program, or fails to.
    Execute(bool),
    /// The process that runs ends by itself.
    Exit(i32),
    /// One of the other processes ends.
    EndOther,
}

/// What the processes are like.
#[derive(Clone, Debug)]
struct Nature {
    ignores_stop: bool,
    others: u8,
    others_ignore_stop: bool,
    /// They wait for something in the kernel, so that not even SIGKILL ends them.
    others_are_stuck: bool,
}

/// The processes of an instance, and what the supervisor did.
struct World {
    plan: Plan,
    nature: Nature,
    now: Duration,
    is_process: bool,
    has_executed: bool,
    others: u8,
    is_stopped: bool,
    actions: Vec<Action>,
    started: Vec<Vec<String>>,
    /// When it was told to end at once, or within the timeout.
    must_end: Option<Duration>,
    ended: Option<Duration>,
}

impl World {
    fn new(task: Task, nature: Nature) -> Self {
        let order = Order {
            task,
            surroundings: Surroundings::default(),
            stop_signal: STOP_SIGNAL,
            stop_timeout: STOP_TIMEOUT,
        };
        let mut actions = Vec::new();
        let plan = Plan::new(&order, &mut actions);
        let mut world = Self {
            plan,
            nature,
            now: Duration::ZERO,
            is_process: false,
            has_executed: false,
            others: 0,
            is_stopped: false,
            actions: Vec::new(),
            started: Vec::new(),
            must_end: None,
            ended: None,
        };
        world.obey(actions);
        world
    }

    fn is_commands(&self) -> bool {
        matches!(self.plan, Plan::Commands(_))
    }

    fn step(&mut self, step: &Step) {
        let within = |world: &mut Self, time: Duration| {
            let at = world.now + time;
            world.must_end = Some(world.must_end.map_or(at, |until| until.min(at)));
        };
        match step {
            Step::Pass(ms) => self.pass(self.now + Duration::from_millis((*ms).into())),
            Step::Command(command) => {
                if *command == Command::Kill {
                    within(self, Duration::ZERO);
                }
                self.on(Event::Command(*command));
            }
            Step::Orphaned => {
                within(self, STOP_TIMEOUT);
                self.on(Event::Orphaned);
            }
            Step::Execute(true) if self.is_process && !self.has_executed => {
                self.has_executed = true;
                self.others = self.nature.others;
                self.on(Event::Executed(1));
            }
            Step::Execute(false) if self.is_process && !self.has_executed => {
                self.on(Event::NotExecuted("there is no such file".to_owned()));
                self.exit(Status::Exited(1));
            }
            Step::Exit(code) if self.is_process && !self.is_stopped => {
                self.exit(Status::Exited(*code));
            }
            Step::EndOther if self.others > 0 && !self.is_stopped => {
                self.others -= 1;
                self.look();
            }
            Step::Execute(_) | Step::Exit(_) | Step::EndOther => {}
        }
    }

    /// Lets time pass, as the supervisor would: with a tick whenever it wants one.
    fn pass(&mut self, until: Duration) {
        while let Some(next) = self
            .plan
            .next()
            .filter(|next| *next <= until && self.ended.is_none())
        {
            self.now = self.now.max(next);
            self.on(Event::Tick);
        }
        self.now = until;
        self.on(Event::Tick);
    }

    fn exit(&mut self, status: Status) {
        self.is_process = false;
        self.on(Event::Exited(status, self.others > 0));
        self.look();
    }

    /// The supervisor sees when nobody is left.
    fn look(&mut self) {
        let is_alone = !self.is_process && self.others == 0;
        if is_alone && self.ended.is_none() {
            self.on(Event::Childless);
        }
    }

    fn on(&mut self, event: Event) {
        if self.ended.is_some() {
            return;
        }
        let mut actions = Vec::new();
        self.plan.on(event, self.now, &mut actions);
        self.obey(actions);
    }

    /// The processes do what they do when they get a signal.
    fn obey(&mut self, actions: Vec<Action>) {
        for action in actions {
            assert!(self.ended.is_none(), "{action:?} after the end");
            self.actions.push(action.clone());
            match action {
                Action::Start(command) => {
                    assert!(!self.is_process, "two at once");
                    assert!(
                        self.started.len() < 2 && (self.started.is_empty() || self.is_commands())
                    );
                    self.started.push(command);
                    (self.is_process, self.has_executed) = (true, false);
                }
                Action::Signal(9) | Action::Kill => {
                    // Of a group that leaves all others to themselves: they may be in another one.
                    if action == Action::Kill && !self.nature.others_are_stuck {
                        self.others = 0;
                    }
                    if self.is_process {
                        self.is_stopped = false;
                        self.exit(Status::Killed(9));
                    } else {
                        self.look();
                    }
                }
                Action::Signal(signal) => {
                    assert_eq!(signal, STOP_SIGNAL);
                    if self.is_process && !self.is_stopped && !self.nature.ignores_stop {
                        self.exit(Status::Killed(signal));
                    }
                }
                Action::SignalChildren(signal) => {
                    assert_eq!(signal, STOP_SIGNAL);
                    if !self.nature.others_ignore_stop && !self.nature.others_are_stuck {
                        self.others = 0;
                        self.look();
                    }
                }
                Action::Suspend => self.is_stopped = true,
                Action::Continue => {
                    self.is_stopped = false;
                    // The signal that it got while it was stopped.
                    let signal = Action::Signal(STOP_SIGNAL);
                    if self.is_process
                        && !self.nature.ignores_stop
                        && self.actions.contains(&signal)
                    {
                        self.exit(Status::Killed(STOP_SIGNAL));
                    }
                }
                Action::Report(_) => {}
                Action::Quit => self.ended = Some(self.now),
            }
        }
    }
}

fn command() -> impl Strategy<Value = Command> {
    use Command::{Freeze, Kill, Stop, Thaw};
    prop_oneof![Just(Stop), Just(Kill), Just(Freeze), Just(Thaw)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_000_u16).prop_map(Step::Pass),
        4 => command().prop_map(Step::Command),
        1 => Just(Step::Orphaned),
        4 => (0..10).prop_map(|number| Step::Execute(number > 0)),
        2 => (0..3).prop_map(Step::Exit),
        1 => Just(Step::EndOther),
    ]
}

prop_compose! {
    fn nature()(ignores_stop: bool, others in 0..3_u8, others_ignore_stop: bool, stuck in 0..8) -> Nature {
        Nature { ignores_stop, others, others_ignore_stop, others_are_stuck: stuck == 0 }
    }
}

fn task() -> impl Strategy<Value = Task> {
    let program = |name: &str| vec![name.to_owned()];
    prop_oneof![
        2 => Just(Task::Process { command: program("serve") }),
        1 => Just(Task::Commands { start: program("start"), stop: program("stop") }),
        1 => Just(Task::Commands { start: program("start"), stop: vec![] }),
    ]
}

proptest! {
    #[test]
    fn every_instance_ends_once_and_in_time(task in task(), nature in nature(), steps in vec(step(), 0..20)) {
        let mut world = World::new(task.clone(), nature.clone());
        for step in &steps {
            world.step(step);
        }
        // Whatever has happened so far, it ends when it has to.
        world.step(&Step::Orphaned);
        world.pass(world.now + LONG);
        let ended = world.ended.expect("it ends");
        let late = ended.saturating_sub(world.must_end.unwrap());
        let allowed = match &task {
            Task::Process { .. } if nature.others_are_stuck => Duration::from_secs(10),
            Task::Process { .. } => Duration::ZERO,
            // From then on its stop command has its own time.
            Task::Commands { .. } => STOP_TIMEOUT,
        };
        prop_assert!(late <= allowed, "{late:?} late");

        let reports = |wanted: fn(&Report) -> bool| {
            let is_wanted = |action: &&Action| matches!(action, Action::Report(report) if wanted(report));
            world.actions.iter().filter(is_wanted).count()
        };
        prop_assert_eq!(reports(|report| matches!(report, Report::Ended { .. })), 1);
        let started = reports(|report| matches!(report, Report::Started { .. }));
        prop_assert!(started <= 1);
        prop_assert_eq!(world.actions.last(), Some(&Action::Quit));
        let is_left = world.is_process || (world.others > 0 && !world.is_commands());
        prop_assert!(!is_left || nature.others_are_stuck);
    }

    #[test]
    fn what_was_started_by_a_command_is_stopped_by_one(
        nature in nature(),
        steps in vec(step(), 0..20),
    ) {
        let [start, stop] = ["start", "stop"].map(|name| vec![name.to_owned()]);
        let task = Task::Commands { start: start.clone(), stop: stop.clone() };
        let mut world = World::new(task, nature);
        for step in &steps {
            world.step(step);
        }
        world.step(&Step::Orphaned);
        world.pass(world.now + LONG);
        // Only a start command that failed by itself has nothing to be undone.
        let has_failed = world.actions.iter().any(|action| {
            matches!(action, Action::Report(Report::Ended { how, .. }) if how.starts_with("start_command: "))
        });
        let expected = if has_failed { vec![start] } else { vec![start, stop] };
        prop_assert_eq!(world.started, expected);
    }

    #[test]
    fn what_a_program_leaves_behind_ends_with_it(nature in nature(), code in 0..3, pass: u16) {
        prop_assume!(!nature.others_are_stuck);
        let mut world = World::new(Task::Process { command: vec!["serve".to_owned()] }, nature.clone());
        world.step(&Step::Execute(true));
        world.step(&Step::Pass(pass));
        world.step(&Step::Exit(code));
        prop_assert_eq!(world.ended, Some(world.now));
        let must_stay = "exited with code 0 and left processes behind: it must stay in the foreground";
        let how = if code == 0 && nature.others > 0 {
            must_stay.to_owned()
        } else {
            format!("exited with code {code}")
        };
        let end = Action::Report(Report::Ended { how, code: Some(code) });
        prop_assert!(world.actions.contains(&end));
    }

    #[test]
    fn a_program_that_nobody_asks_to_end_is_left_alone(steps in vec(step(), 0..20), nature in nature()) {
        let mut world = World::new(Task::Process { command: vec!["serve".to_owned()] }, nature);
        for step in &steps {
            let is_frozen = matches!(step, Step::Command(Command::Freeze | Command::Thaw));
            if is_frozen || matches!(step, Step::Pass(_) | Step::Execute(true)) {
                world.step(step);
            }
        }
        prop_assert!(world.is_process && world.ended.is_none());
        prop_assert_eq!(world.plan.next(), None);
        let is_harmless = |action: &Action| !matches!(action, Action::Signal(_) | Action::SignalChildren(_) | Action::Kill);
        prop_assert!(world.actions.iter().all(is_harmless));
    }
}
