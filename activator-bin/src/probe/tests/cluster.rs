//! What is ready in a cluster, as tables: what Kubernetes says, what probes bring, and where requests go.

use std::collections::BTreeMap;

use super::scene::*;
use super::*;
use crate::probe::evidence::Answer;
use crate::probe::exchange::Ended;

/// A step: a new list (`R` before those that Kubernetes calls ready, `N` before others; empty for none, `=` for the one
/// before), what probes bring from now on, and after a bit more than 300 ms: the slots that are free, and what was probed meanwhile.
type Step<'a> = (&'a str, &'a str, &'a str, &'a str);

/// The private Service is `s`, instances are other letters. There is one slot for each instance.
fn address(name: &str) -> SocketAddr {
    match name {
        "s" => SocketAddr::from(([10, 96, 0, 1], 80)),
        _ => SocketAddr::from(([10, 0, 0, name.as_bytes()[0] - b'a'], 8012)),
    }
}

fn name(address: SocketAddr) -> char {
    let ip = address.ip().to_string();
    let names = ('a'..='r').chain(['s']);
    let mut of_ip = names.filter(|it| self::address(&it.to_string()).ip().to_string() == ip);
    of_ip.next().expect("a known address")
}

fn ended(text: &str) -> (Duration, Ended) {
    let at_once = |ended| (Duration::ZERO, ended);
    match text {
        "ok" => at_once(ProbeOutcome::Ok.into()),
        "refused" => at_once(ProbeOutcome::Refused.into()),
        "hangs" => (HOUR, ProbeOutcome::Refused.into()),
        "500" => at_once(ProbeOutcome::Status.into()),
        "503" => at_once(Ended {
            outcome: ProbeOutcome::Status,
            answer: Answer::MeshLike,
        }),
        _ => panic!("{text}"),
    }
}

fn mesh(text: &str) -> Mesh {
    let has = |word: &str| text.split(' ').any(|it| it == word);
    Mesh {
        mode: match text {
            _ if has("enabled") => MeshMode::Enabled,
            _ if has("disabled") => MeshMode::Disabled,
            _ => MeshMode::Auto,
        },
        pod_addressability: has("addressable"),
    }
}

fn listed(list: &str, trusts_probe: bool) -> Listed {
    let (mut backends, mut not_ready, mut is_ready) = (Vec::new(), Vec::new(), true);
    for word in list.split_whitespace() {
        match word {
            "R" => is_ready = true,
            "N" => is_ready = false,
            name => {
                backends.push(address(name));
                not_ready.extend((!is_ready).then(|| address(name)));
            }
        }
    }
    let cluster = InCluster {
        not_ready,
        trusts_probe,
        private_service: "hello-private".into(),
        ..InCluster::default()
    };
    Listed {
        backends,
        cluster: Some(Arc::new(cluster)),
        container_concurrency: 1,
        ..Listed::default()
    }
}

/// The names of all free slots, in order.
fn free(throttle: &Throttle) -> String {
    let slots: Vec<_> = std::iter::from_fn(|| throttle.try_acquire()).collect();
    let mut names: Vec<_> = slots
        .iter()
        .map(|slot| name(slot.backend()).to_string())
        .collect();
    names.sort();
    names.join(" ")
}

/// `settings` has words for how instances are reached; `strict` if only what Kubernetes calls ready counts.
async fn check(row: &str, settings: &str, steps: &[Step<'_>]) {
    let answers = Arc::new(Mutex::new(BTreeMap::<char, String>::new()));
    let current = Arc::clone(&answers);
    let probe = ProbeSettings {
        probe: Probe::Knative,
        mesh: mesh(settings),
        ..ProbeSettings::default()
    };
    let scene = Scene::answering(probe, 100, move |probed, _| {
        ended(current.lock().get(&name(probed)).expect("an answer"))
    });
    let service = OneService::at(address("s"));
    scene.probes.set_private_services(service);
    let trusts_probe = !settings.contains("strict");
    for (step, &(list, changed, expected, probed)) in steps.iter().enumerate() {
        for answer in changed.split(", ").filter(|it| !it.is_empty()) {
            let (name, text) = answer.split_once(' ').expect("a name and an answer");
            let name = name.chars().next().expect("a name");
            answers.lock().insert(name, text.to_owned());
        }
        scene.seen.probes.lock().clear();
        if list != "=" {
            scene.prober.set_backends(listed(list, trusts_probe));
        }
        tokio::time::sleep(ms(302)).await;
        assert_eq!(free(&scene.throttle), expected, "{row}, step {step}");
        let probes = scene.seen.probes.lock();
        let names = probes
            .iter()
            .map(|(_, probed, _)| name(*probed).to_string());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names.dedup();
        assert_eq!(names.join(" "), probed, "{row}, step {step}: probed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_passes_its_probe_gets_requests() {
    check(
        "P1",
        "auto",
        &[("R a", "a ok", "a", "a"), ("=", "", "a", "")],
    )
    .await;
    let trusting = [("N a", "a ok", "a", "a"), ("=", "", "a", "")];
    check("P2, probes are trusted", "auto", &trusting).await;
    let strict = [
        ("N a", "a ok", "", "a"),
        ("=", "", "", "a"),
        ("R a", "", "a", "a"),
    ];
    check("P2, they are not", "auto strict", &strict).await;
    let one_by_one = [
        ("R a b", "a refused, b ok", "b", "a b"),
        ("=", "a ok", "a b", "a"),
    ];
    check("P3", "auto", &one_by_one).await;
    let own = [("R a", "a 500, s ok", "", "a"), ("=", "a ok", "a", "a")];
    check("P4", "auto", &own).await;
}

#[tokio::test(start_paused = true)]
async fn requests_go_through_the_service_where_a_mesh_is_in_the_way() {
    let sticky = [
        ("R a N b", "a 503, b 503, s ok", "s", "a b s"),
        ("=", "a ok, b ok", "s", ""),
    ];
    check("P5", "auto", &sticky).await;
    let later = [
        ("R a", "a 503, s refused", "", "a s"),
        ("=", "s ok", "s", "a s"),
    ];
    check("P6", "auto", &later).await;
    let addressable = [
        ("R a N b", "a 503, b 503, s ok", "", "a b"),
        ("=", "", "", "a b"),
    ];
    check("P7, with addressability", "auto addressable", &addressable).await;
    let disabled = [("N a b", "a 503, b 503, s ok", "", "a b")];
    check("P7, disabled", "disabled", &disabled).await;
    let enabled = [("R a", "a ok, s ok", "s", "s"), ("=", "", "s", "")];
    check("P8", "enabled", &enabled).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_mesh_what_kubernetes_calls_ready_is_trusted() {
    let trusted = [
        ("R a", "a 503", "a", ""),
        ("R a N b", "b 503", "a", "b"),
        ("R a b", "", "a b", ""),
    ];
    check("P9", "disabled", &trusted).await;
    check("P9, with addressability", "enabled addressable", &trusted).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_no_longer_called_ready_is_probed_again() {
    let demoted = [
        ("R a b", "a ok, b ok", "a b", "a b"),
        ("R b N a", "a refused", "b", "a"),
        ("=", "a ok", "a b", "a"),
    ];
    check("P10", "auto", &demoted).await;
    let passes = [
        ("R a b", "a ok, b ok", "a b", "a b"),
        ("R b N a", "", "a b", "a"),
    ];
    check("P10, and passes", "auto", &passes).await;
    let strict = [
        ("R a b", "a ok, b ok", "a b", "a b"),
        ("R b N a", "", "b", "a"),
        ("R a b", "", "a b", "a"),
    ];
    check("P10, probes are not trusted", "auto strict", &strict).await;
    let kept = [
        ("R a c N b", "a ok, b ok, c ok", "a b c", "a b c"),
        ("R a N b", "", "a b", ""),
    ];
    check("P12", "auto", &kept).await;
}

#[tokio::test(start_paused = true)]
async fn without_instances_all_is_forgotten() {
    let instances = [
        ("R a", "a ok", "a", "a"),
        ("", "", "", ""),
        ("R a", "", "a", "a"),
    ];
    check("P11, instances", "auto", &instances).await;
    let service = [
        ("R a", "a 503, s ok", "s", "a s"),
        ("", "", "", ""),
        ("R a", "s refused", "", "a s"),
        ("=", "a ok", "a", "a s"),
    ];
    check("P11, the Service", "auto", &service).await;
    let enabled = [
        ("R a b", "s ok", "s s", "s"),
        ("", "", "", ""),
        ("R a", "s refused", "", "s"),
    ];
    check("P11, only the Service", "enabled", &enabled).await;
}

#[tokio::test(start_paused = true)]
async fn what_shows_a_mesh_is_a_response_in_place_of_a_ready_instance() {
    check("refused", "auto", &[("R a", "a refused, s ok", "", "a")]).await;
    check("no response", "auto", &[("R a", "a hangs, s ok", "", "a")]).await;
    check("starting", "auto", &[("N a", "a 503, s ok", "", "a")]).await;
    let becomes_ready = [("N a", "a 503, s ok", "", "a"), ("R a", "a ok", "a", "a")];
    check("queue-proxy's 503 while it starts", "auto", &becomes_ready).await;
    let mixed = [("R a b", "a 503, b refused, s ok", "s s", "a b s")];
    check("one refuses", "auto", &mixed).await;
    let disproved = [("R a N b", "a 503, b 500, s ok", "", "a b")];
    check("one responds itself", "auto", &disproved).await;
    let healthy = [("R a b", "a 503, b ok, s ok", "b", "a b")];
    check("one is healthy", "auto", &healthy).await;
    let unknown = [("R a b", "a 503, b hangs, s ok", "s s", "a b s")];
    check("one is silent", "auto", &unknown).await;
}

#[tokio::test(start_paused = true)]
async fn probes_of_single_instances_in_a_mesh_name_its_service() {
    let settings = ProbeSettings {
        probe: Probe::Knative,
        mesh: mesh("addressable"),
        ..ProbeSettings::default()
    };
    let scene = Scene::new(settings, 100, up_from(Duration::ZERO));
    scene.prober.set_backends(listed("R a", true));
    let slot = scene.slot().await;
    assert_eq!(slot.backend(), address("a"));
    let via = Some("hello-private.default".into());
    let exchanges = scene.seen.probes.lock();
    let exchanges: Vec<_> = exchanges.iter().map(|it| it.2.clone()).collect();
    assert_eq!(exchanges, [Exchange::Knative { via }]);
}

#[tokio::test(start_paused = true)]
async fn instances_are_shared_among_activators() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    let list = |share: Option<Share>, list| {
        let Listed {
            backends, cluster, ..
        } = listed(list, true);
        let cluster = cluster.map(|it| {
            Arc::new(InCluster {
                share,
                ..InCluster::clone(&it)
            })
        });
        Listed {
            backends,
            cluster,
            container_concurrency: 1,
            ..Listed::default()
        }
    };
    let share = |index, activators| Some(Share { index, activators });
    for (share, instances, expected) in [
        (None, "R a b c d e", "a b c d e"),
        (share(0, 2), "R a b c d e", "a b e"),
        (share(1, 2), "R a b c d e", "c d"),
        (share(1, 2), "R a b c d e f", "d e f"),
        (share(1, 2), "R f", "f"),
        (share(1, 3), "R e f", "f"),
        (share(0, 1), "R e f", "e f"),
    ] {
        scene.prober.set_backends(list(share, instances));
        tokio::time::sleep(ms(300)).await;
        assert_eq!(free(&scene.throttle), expected, "{share:?} of {instances}");
        let counts = scene.prober.counts();
        assert_eq!(counts.ready, expected.split(' ').count());
        let all = instances.split(' ').count() - 1;
        assert_eq!(counts.ready + counts.unassigned, all);
    }
}
