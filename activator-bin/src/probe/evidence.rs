//! Whether a service mesh keeps an activator from reaching instances one by one, by how they respond to probes. Pure.

use http::StatusCode;

/// What came back when an instance was last probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A response of the kind that a mesh sends in an instance's place.
    MeshLike,
    /// Any other response: it comes from the instance.
    Own,
    /// No response.
    Nothing,
}

impl Answer {
    /// The kind of a response with this status.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => Self::MeshLike,
            _ => Self::Own,
        }
    }
}

/// Whether these are the signs of a mesh, given what each listed instance last responded, `None` for no probe yet, and
/// whether Kubernetes calls it ready. No instance is healthy.
///
/// What counts are responses. An instance that refuses connections, or that starts and is not called ready yet, is no
/// sign; one with a response of its own disproves a mesh.
pub(super) fn shows_mesh(instances: impl IntoIterator<Item = (bool, Option<Answer>)>) -> bool {
    let mut shows = false;
    for (is_called_ready, answer) in instances {
        match answer {
            Some(Answer::Own) => return false,
            None if is_called_ready => return false,
            Some(Answer::MeshLike) => shows |= is_called_ready,
            Some(Answer::Nothing) | None => {}
        }
    }
    shows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_proxies_respond_looks_like_a_mesh() {
        for (status, expected) in [
            (200, Answer::Own),
            (404, Answer::Own),
            (500, Answer::Own),
            (502, Answer::MeshLike),
            (503, Answer::MeshLike),
            (504, Answer::Own),
        ] {
            let status = StatusCode::from_u16(status).expect("a valid status");
            assert_eq!(Answer::of(status), expected, "{status}");
        }
    }

    #[test]
    fn a_mesh_is_shown_by_responses() {
        use Answer::{MeshLike, Nothing, Own};
        const READY: bool = true;
        const NOT_READY: bool = false;
        for (instances, expected) in [
            (vec![], false),
            (vec![(READY, Some(MeshLike))], true),
            (vec![(READY, Some(MeshLike)), (NOT_READY, None)], true),
            (
                vec![(READY, Some(MeshLike)), (NOT_READY, Some(MeshLike))],
                true,
            ),
            (vec![(READY, Some(MeshLike)), (READY, Some(Nothing))], true),
            (vec![(READY, Some(MeshLike)), (READY, None)], false),
            (vec![(READY, Some(MeshLike)), (READY, Some(Own))], false),
            (vec![(READY, Some(MeshLike)), (NOT_READY, Some(Own))], false),
            (vec![(NOT_READY, Some(MeshLike))], false),
            (vec![(READY, Some(Nothing))], false),
            (vec![(READY, Some(Own))], false),
        ] {
            assert_eq!(shows_mesh(instances.clone()), expected, "{instances:?}");
        }
    }
}
