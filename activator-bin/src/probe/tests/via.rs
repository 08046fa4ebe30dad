//! Requests through the private Service, over time.

use super::scene::*;
use super::*;
use crate::probe::evidence::Answer;
use crate::probe::exchange::Ended;

const SERVICE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 1)),
    80,
);

/// A mesh that is there until `until`, and then lets probes of instances through.
fn mesh_until(until: Duration) -> impl Fn(SocketAddr, Duration) -> (Duration, Ended) {
    move |probed, now| {
        let ended = if probed == SERVICE || now >= until {
            ProbeOutcome::Ok.into()
        } else {
            Ended {
                outcome: ProbeOutcome::Status,
                answer: Answer::MeshLike,
            }
        };
        (Duration::ZERO, ended)
    }
}

fn scene(
    script: impl Fn(SocketAddr, Duration) -> (Duration, Ended) + Send + Sync + 'static,
) -> (Scene, Arc<OneService>) {
    let settings = ProbeSettings {
        probe: Probe::Knative,
        ..ProbeSettings::default()
    };
    let scene = Scene::answering(settings, 100, script);
    let service = OneService::at(SERVICE);
    scene.probes.set_private_services(service.clone());
    (scene, service)
}

fn listed(numbers: impl IntoIterator<Item = u8>, limit: u32, share: Option<Share>) -> Listed {
    let cluster = InCluster {
        trusts_probe: true,
        share,
        private_service: "hello-private".into(),
        ..InCluster::default()
    };
    Listed {
        backends: numbers.into_iter().map(backend).collect(),
        cluster: Some(Arc::new(cluster)),
        container_concurrency: limit,
        ..Listed::default()
    }
}

/// How many slots are free, all at the same backend.
#[track_caller]
fn free_at(scene: &Scene, backend: SocketAddr) -> usize {
    let slots: Vec<_> = std::iter::from_fn(|| scene.throttle.try_acquire()).collect();
    assert!(
        slots.iter().all(|slot| slot.backend() == backend),
        "{slots:?}"
    );
    slots.len()
}

#[tokio::test(start_paused = true)]
async fn the_service_gets_this_activators_part_of_the_capacity() {
    let (scene, _) = scene(mesh_until(HOUR));
    let share = |index, activators| Some(Share { index, activators });
    for (instances, share, slots) in [
        (2, None, 2),
        (3, None, 3),
        (3, share(1, 3), 1),
        (7, share(1, 3), 2),
        (7, share(0, 9), 1),
        (2, None, 2),
    ] {
        scene.prober.set_backends(listed(0..instances, 1, share));
        tokio::time::sleep(ms(100)).await;
        assert_eq!(free_at(&scene, SERVICE), slots, "{instances}, {share:?}");
    }
    let expected = BackendCounts {
        behind_service: 2,
        ..BackendCounts::default()
    };
    assert_eq!(scene.prober.counts(), expected);
    assert_eq!(*scene.services.lock(), [Some(SERVICE)]);
}

#[tokio::test(start_paused = true)]
async fn the_service_is_asked_for_by_name_and_only_when_it_is_needed() {
    let (scene, service) = scene(mesh_until(Duration::ZERO));
    scene.prober.set_backends(listed([1], 1, None));
    drop(scene.slot().await);
    tokio::time::sleep(HOUR).await;
    assert_eq!(service.asked.lock().len(), 0);

    let (scene, service) = self::scene(mesh_until(HOUR));
    scene.prober.set_backends(listed([1], 1, None));
    assert_eq!(scene.slot().await.backend(), SERVICE);
    let names: Vec<_> = service.asked.lock().iter().map(|it| it.0.clone()).collect();
    assert_eq!(names, ["hello-private.default http2=false"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_address_is_asked_for_again_and_again() {
    let (scene, service) = scene(mesh_until(HOUR));
    *service.address.lock() = Err("not found".to_owned());
    scene.prober.set_backends(listed([1], 1, None));
    scene.nothing_for(120 * SECOND).await;
    let at: Vec<_> = service.asked.lock().iter().map(|it| it.1).collect();
    let pauses: Vec<_> = at
        .windows(2)
        .map(|two| (two[1] - two[0]).as_millis())
        .collect();
    let expected = [
        200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
    ];
    assert_eq!(pauses, expected);
    *service.address.lock() = Ok(PrivateService {
        http: SERVICE,
        https: None,
    });
    assert_eq!(scene.slot().await.backend(), SERVICE);
}

#[tokio::test(start_paused = true)]
async fn when_an_instance_passes_a_probe_requests_go_to_instances_again() {
    let (scene, _) = scene(mesh_until(100 * SECOND));
    scene.prober.set_backends(listed([1, 2], 1, None));
    let slot = scene.slot().await;
    assert_eq!(slot.backend(), SERVICE);
    scene.seen.probes.lock().clear();
    tokio::time::sleep(ms(100_000)).await;
    // They take turns.
    let looks = [backend(1), backend(2)].map(|it| scene.probed_at(it));
    assert_eq!(looks, [vec![30_000, 90_000], vec![60_000]]);
    assert_eq!(free_at(&scene, SERVICE), 1);

    tokio::time::sleep(ms(20_100)).await;
    assert_eq!(scene.throttle.ready_backends(), 2);
    let slots = [scene.slot().await, scene.slot().await];
    assert_eq!(slots.map(|slot| slot.backend()), [backend(1), backend(2)]);
    assert_eq!(*scene.services.lock(), [Some(SERVICE), None]);
    drop(slot);
    scene.assert_counts(2, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_requests_is_searched_again() {
    let (scene, service) = scene(mesh_until(HOUR));
    scene.prober.set_backends(listed([1], 1, None));
    let mut slot = scene.slot().await;
    let mut at = Vec::new();
    for _ in 0..5 {
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
        slot = retried.expect("in time").expect("the revision is there");
        assert_eq!(slot.backend(), SERVICE);
        at.push(scene.start.elapsed().as_millis());
    }
    assert_eq!(at, [200, 600, 1_400, 2_400, 3_400]);
    assert_eq!(service.asked.lock().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_moves_is_found() {
    let moved = SocketAddr::from(([10, 96, 0, 2], 80));
    let (scene, service) = scene(move |probed, now| {
        let mesh = mesh_until(HOUR);
        if probed == SERVICE {
            (Duration::ZERO, ProbeOutcome::Refused.into())
        } else if probed == moved {
            (Duration::ZERO, ProbeOutcome::Ok.into())
        } else {
            mesh(probed, now)
        }
    });
    scene.prober.set_backends(listed([1], 1, None));
    scene.nothing_for(SECOND).await;
    *service.address.lock() = Ok(PrivateService {
        http: moved,
        https: None,
    });
    assert_eq!(scene.slot().await.backend(), moved);
    assert!(scene.start.elapsed() <= 31 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn how_instances_are_reached_can_be_changed() {
    let (scene, _) = scene(mesh_until(Duration::ZERO));
    scene.prober.set_backends(listed([1], 1, None));
    assert_eq!(scene.slot().await.backend(), backend(1));
    for (mode, pod_addressability, expected) in [
        (MeshMode::Enabled, false, SERVICE),
        (MeshMode::Disabled, false, backend(1)),
        (MeshMode::Enabled, false, SERVICE),
        (MeshMode::Enabled, true, backend(1)),
        (MeshMode::Auto, false, backend(1)),
    ] {
        scene.prober.set_settings(ProbeSettings {
            probe: Probe::Knative,
            mesh: Mesh {
                mode,
                pod_addressability,
            },
            ..ProbeSettings::default()
        });
        tokio::time::sleep(ms(100)).await;
        assert_eq!(free_at(&scene, expected), 1, "{mode:?}");
    }
    // From the Service back to the default: the next look finds the instance.
    for mode in [MeshMode::Enabled, MeshMode::Auto] {
        scene.prober.set_settings(ProbeSettings {
            probe: Probe::Knative,
            mesh: Mesh {
                mode,
                pod_addressability: false,
            },
            ..ProbeSettings::default()
        });
        tokio::time::sleep(ms(100)).await;
        assert_eq!(free_at(&scene, SERVICE), 1, "{mode:?}");
    }
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(free_at(&scene, backend(1)), 1);
}

#[tokio::test(start_paused = true)]
async fn while_no_instance_is_called_ready_nothing_goes_through_the_service() {
    let (scene, _) = scene(mesh_until(HOUR));
    scene.prober.set_backends(listed([1], 1, None));
    drop(scene.slot().await);
    let mut starting = listed([1], 1, None);
    let cluster = starting.cluster.as_deref().cloned().unwrap_or_default();
    starting.cluster = Some(Arc::new(InCluster {
        not_ready: vec![backend(1)],
        ..cluster
    }));
    scene.prober.set_backends(starting);
    tokio::time::sleep(ms(10)).await;
    scene.nothing_for(SECOND).await;
    scene.prober.set_backends(listed([1], 1, None));
    assert_eq!(scene.slot().await.backend(), SERVICE);
    assert_eq!(*scene.services.lock(), [Some(SERVICE)], "it is still known");
}
