//! `deploy/kubernetes`: the file with everything in it is the base, and both take the place of Knative's objects.
//!
//! With `UPDATE_MANIFESTS=1` the first test writes the file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use activator_bin::testing::{Cluster, Sources};
use serde_json::{Value, json};

/// The file with everything in it.
const ALL: &str = "activator.yaml";

fn path(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/kubernetes");
    PathBuf::from(folder).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn documents(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The files of the base, in the order of `kustomization.yaml`.
fn base() -> Vec<String> {
    let kustomization = &documents("kustomization.yaml")[0];
    let resources = kustomization["resources"].as_array();
    let resources = resources.expect("it has resources").iter();
    let names = resources.map(|name| name.as_str().expect("a file's name").to_owned());
    names.collect()
}

/// The one object of a kind.
fn object(kind: &str) -> Value {
    let mut found = documents(ALL);
    found.retain(|object| object["kind"] == kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

fn container() -> Value {
    object("Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn the_file_with_everything_is_the_base() {
    let resources: Vec<String> = base().iter().map(|name| text(name)).collect();
    let all = resources.join("---\n");
    if std::env::var_os("UPDATE_MANIFESTS").is_some() {
        std::fs::write(path(ALL), &all).expect("the file can be written");
    }
    assert_eq!(
        text(ALL),
        all,
        "run this test with UPDATE_MANIFESTS=1 to mend {ALL}"
    );
    let parts: Vec<Value> = base().iter().flat_map(|name| documents(name)).collect();
    assert_eq!(documents(ALL), parts);

    // Nothing but the resources, so that the base adds nothing and forgets no file.
    let kustomization = &documents("kustomization.yaml")[0];
    let fields: Vec<_> = kustomization.as_object().into_iter().flatten().collect();
    let fields: Vec<_> = fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["apiVersion", "kind", "resources"]);
    let files = std::fs::read_dir(path(".")).expect("the folder exists");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect();
    let mut expected: BTreeSet<String> = base().into_iter().collect();
    expected.extend([ALL.to_owned(), "kustomization.yaml".to_owned()]);
    assert_eq!(files, expected);
}

#[test]
fn every_object_has_the_name_of_one_of_knatives() {
    let found: Vec<_> = documents(ALL)
        .iter()
        .map(|object| {
            let part = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let metadata = &object["metadata"];
            [
                &object["apiVersion"],
                &object["kind"],
                &metadata["namespace"],
                &metadata["name"],
            ]
            .map(part)
            .join(" ")
        })
        .collect();
    assert_eq!(
        found,
        [
            "v1 ServiceAccount knative-serving activator",
            "rbac.authorization.k8s.io/v1 Role knative-serving knative-serving-activator",
            "rbac.authorization.k8s.io/v1 ClusterRole - knative-serving-activator-cluster",
            "rbac.authorization.k8s.io/v1 RoleBinding knative-serving knative-serving-activator",
            "rbac.authorization.k8s.io/v1 ClusterRoleBinding - knative-serving-activator-cluster",
            "apps/v1 Deployment knative-serving activator",
            "v1 Service knative-serving activator-service",
            "autoscaling/v2 HorizontalPodAutoscaler knative-serving activator",
            "policy/v1 PodDisruptionBudget knative-serving activator-pdb",
        ]
    );
}

/// A selector cannot be changed, so applying one Deployment over the other is refused if they differ.
#[test]
fn pods_are_selected_as_knatives_are() {
    let deployment = object("Deployment");
    let selector = json!({"app": "activator", "role": "activator"});
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], selector);
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(
        (&labels["app"], &labels["role"]),
        (&selector["app"], &selector["role"])
    );
    let app = json!({"app": "activator"});
    assert_eq!(object("Service")["spec"]["selector"], app);
    let budget = object("PodDisruptionBudget");
    assert_eq!(budget["spec"]["selector"]["matchLabels"], app);
}

#[test]
fn the_version_is_that_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    for object in documents(ALL) {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["app.kubernetes.io/version"], version, "{object}");
        assert_eq!(
            labels["app.kubernetes.io/name"], "knative-serving",
            "{object}"
        );
    }
    let template = &object("Deployment")["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/version"], version);
    assert_eq!(container()["image"], format!("activator:{version}"));
    let page = text("../../docs/kubernetes.md");
    assert!(page.contains(&format!("activator-{version}.oci.tar")));
}

/// Knative's rules, with one secret less and EndpointSlices besides.
#[test]
fn permissions_are_knatives_and_endpoint_slices() {
    let read = json!(["get", "list", "watch"]);
    let rule = |group: &str, resources: Value| json!({"apiGroups": [group], "resources": resources, "verbs": read});
    let mut secrets = rule("", json!(["secrets"]));
    secrets["resourceNames"] = json!(["routing-serving-certs"]);
    let role = object("Role");
    assert_eq!(
        role["rules"],
        json!([rule("", json!(["configmaps"])), secrets])
    );
    let cluster_role = object("ClusterRole");
    assert_eq!(
        cluster_role["rules"],
        json!([
            rule("", json!(["services", "endpoints"])),
            rule("serving.knative.dev", json!(["revisions"])),
            rule("discovery.k8s.io", json!(["endpointslices"])),
        ])
    );
    for role in [role, cluster_role] {
        // Without it Knative's controller would lose these permissions.
        assert_eq!(
            role["metadata"]["labels"]["serving.knative.dev/controller"],
            "true"
        );
    }
    for (binding, role) in [
        ("RoleBinding", "Role"),
        ("ClusterRoleBinding", "ClusterRole"),
    ] {
        let (binding, role) = (object(binding), object(role));
        let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]});
        assert_eq!(binding["roleRef"], reference);
        let account =
            json!({"kind": "ServiceAccount", "name": "activator", "namespace": "knative-serving"});
        assert_eq!(binding["subjects"], json!([account]));
    }
}

#[test]
fn the_container_needs_no_rights() {
    let pod = object("Deployment")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["serviceAccountName"], "activator");
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    let container = container();
    assert_eq!(container["name"], "activator");
    // The image starts by itself, so the image alone can be exchanged.
    assert_eq!(
        (&container["command"], &container["args"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    let variables = container["env"].as_array().expect("it has variables");
    let names: Vec<_> = variables.iter().map(|variable| &variable["name"]).collect();
    assert_eq!(
        names,
        [
            "POD_NAME",
            "POD_IP",
            "SYSTEM_NAMESPACE",
            "CONFIG_LOGGING_NAME",
            "CONFIG_OBSERVABILITY_NAME"
        ]
    );
}

/// Each probe has every field that Knative's has, so that nothing of one is left when the other is applied over it.
#[test]
fn ports_and_probes_fit_together() {
    let container = container();
    let ports = container["ports"].as_array().expect("it has ports");
    let ports: Vec<_> = ports
        .iter()
        .map(|port| (&port["name"], &port["containerPort"]))
        .collect();
    let expected = [
        ("metrics", 9090),
        ("http1", 8012),
        ("h2c", 8013),
        ("https", 8112),
    ];
    let expected = expected.map(|(name, port)| (json!(name), json!(port)));
    assert_eq!(ports, expected.each_ref().map(|(name, port)| (name, port)));

    let service = object("Service");
    let ports = service["spec"]["ports"].as_array().expect("it has ports");
    let ports: Vec<_> = ports
        .iter()
        .map(|port| json!([port["name"], port["port"], port["targetPort"]]))
        .collect();
    assert_eq!(
        json!(ports),
        json!([
            ["http-metrics", 9090, 9090],
            ["http", 80, 8012],
            ["http2", 81, 8013],
            ["https", 443, 8112]
        ])
    );

    let probe = |path: &str| json!({"path": path, "port": 9090});
    assert_eq!(
        container["readinessProbe"],
        json!({"httpGet": probe("/readyz"), "periodSeconds": 2, "failureThreshold": 3})
    );
    assert_eq!(
        container["livenessProbe"],
        json!({"httpGet": probe("/livez"), "initialDelaySeconds": 15, "periodSeconds": 10, "failureThreshold": 12})
    );
}

/// What the container's variables make of the configuration, with those that Kubernetes adds for the Service.
fn sources() -> Sources {
    let field = |variable: &Value| {
        let path = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        match path.as_str().expect("a value, or a field's path") {
            "metadata.name" => "activator-0",
            "metadata.namespace" => "knative-serving",
            "status.podIP" => "10.0.0.7",
            other => panic!("{other}"),
        }
    };
    let container = container();
    let variables = container["env"].as_array().expect("it has variables");
    let set = variables.iter().map(|variable| {
        let value = variable["value"].as_str();
        let name = variable["name"].as_str().expect("a name");
        (
            name.to_owned(),
            value.unwrap_or_else(|| field(variable)).to_owned(),
        )
    });
    let service = object("Service");
    let ports = service["spec"]["ports"].as_array().expect("it has ports");
    let prefix = "ACTIVATOR_SERVICE";
    let links = ports.iter().flat_map(|port| {
        let name = port["name"].as_str().expect("a name").replace('-', "_");
        let number = port["port"].to_string();
        let tcp = format!("{prefix}_PORT_{number}_TCP");
        [
            (format!("{prefix}_SERVICE_HOST"), "10.96.0.1".to_owned()),
            (format!("{prefix}_SERVICE_PORT"), number.clone()),
            (
                format!("{prefix}_SERVICE_PORT_{}", name.to_uppercase()),
                number.clone(),
            ),
            (
                format!("{prefix}_PORT"),
                format!("tcp://10.96.0.1:{number}"),
            ),
            (tcp.clone(), format!("tcp://10.96.0.1:{number}")),
            (format!("{tcp}_PROTO"), "tcp".to_owned()),
            (format!("{tcp}_PORT"), number),
            (format!("{tcp}_ADDR"), "10.96.0.1".to_owned()),
        ]
    });
    let variables = set.chain(links);
    Sources {
        cluster: Some(Cluster::OwnPod),
        variables: variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Sources::default()
    }
}

#[test]
fn the_program_serves_what_the_manifest_says() {
    let sources = sources();
    let config = sources.check(None);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(sources.misspelt_variables(), [""; 0]);
    assert_eq!(config.pod_name, "activator-0");
    assert_eq!(config.kubernetes.namespace, "knative-serving");
    let listen = &config.listen;
    let ports = [
        Some(listen.admin),
        Some(listen.http),
        listen.http2,
        listen.https,
    ];
    let ports = ports.map(|address| json!(address.map(|address| address.port())));
    let container = container();
    let listed = container["ports"].as_array().expect("it has ports").iter();
    let listed: Vec<_> = listed.map(|port| &port["containerPort"]).collect();
    assert_eq!(listed, ports.each_ref());

    let pod = &object("Deployment")["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_u64();
    let stop = config.drain_delay + config.drain_timeout + config.reporter.flush_timeout;
    assert!(Duration::from_secs(grace.expect("it has one")) > stop);
}

#[test]
fn the_number_of_pods_follows_cpu() {
    let autoscaler = object("HorizontalPodAutoscaler");
    let spec = &autoscaler["spec"];
    assert_eq!(
        (&spec["minReplicas"], &spec["maxReplicas"]),
        (&json!(1), &json!(20))
    );
    assert_eq!(
        spec["scaleTargetRef"],
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "activator"})
    );
    let target = json!({"type": "Utilization", "averageUtilization": 100});
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    assert_eq!(spec["metrics"], json!([metric]));
    // That is a share of the request; a fixed number of replicas would undo it with each apply.
    assert_eq!(container()["resources"]["requests"]["cpu"], "100m");
    assert_eq!(object("Deployment")["spec"]["replicas"], Value::Null);
    assert_eq!(object("PodDisruptionBudget")["spec"]["minAvailable"], "80%");
}
