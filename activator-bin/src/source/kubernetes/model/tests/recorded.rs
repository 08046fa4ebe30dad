//! Objects of a real cluster: Kubernetes 1.35 and Knative 1.15, while one of two instances terminates.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::scene::parsed;
use super::*;
use crate::source::kubernetes::object::Service;

const OBJECTS: &str = include_str!("recorded.json");

fn objects<T: DeserializeOwned>(kind: &str) -> Vec<T> {
    let mut all: Value = serde_json::from_str(OBJECTS).unwrap();
    parsed(all[kind].take())
}

#[test]
fn slices_and_endpoints_of_a_cluster_say_the_same() {
    let revisions = || objects::<Revision>("revisions").into_iter();
    let slices = objects::<EndpointSlice>("endpointslices");
    let endpoints = objects::<Endpoints>("endpoints");
    assert_eq!((slices.len(), endpoints.len()), (3, 3));
    let own = Some([10, 0, 0, 2].into());

    let [mut with_slices, mut with_endpoints] = [Scene::at(own), Scene::at(own)];
    let model = &mut with_slices.model;
    revisions().for_each(|it| model.on_revision(Event::Put(it)));
    slices
        .into_iter()
        .for_each(|it| model.on_slice(Event::Put(it)));
    let model = &mut with_endpoints.model;
    revisions().for_each(|it| model.on_revision(Event::Put(it)));
    endpoints
        .into_iter()
        .for_each(|it| model.on_endpoints(Event::Put(it)));
    for mut scene in [with_slices, with_endpoints] {
        scene.report();
        assert_eq!(scene.lines(), ["hello-00001 cc:10 10.0.1.2:8012 | 0/1"]);
        assert_eq!(scene.model.problems(), NewProblems::default());
        let spec = scene.reported.values().next().unwrap();
        let cluster = spec.cluster.as_ref().unwrap();
        assert_eq!(
            (spec.key.as_str(), &*spec.revision.service),
            ("default/hello-00001", "hello")
        );
        assert!(cluster.trusts_probe);
        let services = objects::<Service>("services");
        assert_eq!(services[0].name(), &*cluster.private_service);
        let found = private_service::addresses(&services[0], cluster.http2).unwrap();
        assert_eq!((found.http.port(), found.https.unwrap().port()), (80, 443));
    }
}
