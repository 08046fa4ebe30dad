//! Asks for the private Service of a revision, only when requests are to go through it.

use std::net::SocketAddr;

use super::api_server::ApiServer;
use super::limits::ClusterLimits;
use super::model::private_service;
use super::object::Service;
use super::resource::Resource;

/// Where the Service with this name is reached: its port for HTTP/2, or the other.
///
/// # Errors
/// There is none, it is not as expected, or the API server does not say.
pub(super) async fn address(
    server: &ApiServer,
    limits: &ClusterLimits,
    namespace: &str,
    name: &str,
    http2: bool,
) -> Result<SocketAddr, String> {
    let path = Resource::of::<Service>(Some(namespace)).object(name);
    let response = server.get(&path).await;
    let service = match response {
        Ok(response) => response.object(limits.max_object).await,
        Err(error) => Err(error),
    };
    let of_service = |error: String| format!("Service {namespace}/{name}: {error}");
    let service = service.map_err(|error| of_service(error.to_string()))?;
    private_service::address(&service, http2).map_err(of_service)
}
