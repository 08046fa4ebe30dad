//! Asks for the private Service of a revision, only when requests are to go through it.

use std::sync::Arc;

use async_trait::async_trait;

use super::api_server::ApiServer;
use super::limits::ClusterLimits;
use super::model::private_service;
use super::object::Service;
use super::resource::Resource;
use crate::probe::{PrivateService, PrivateServices};

/// The private Services of a cluster. Nothing of them is kept.
pub(super) struct ClusterServices {
    pub(super) server: Arc<ApiServer>,
    pub(super) limits: ClusterLimits,
}

#[async_trait]
impl PrivateServices for ClusterServices {
    async fn address(
        &self,
        namespace: &str,
        name: &str,
        http2: bool,
    ) -> Result<PrivateService, String> {
        let path = Resource::of::<Service>(Some(namespace)).object(name);
        let service = match self.server.get(&path).await {
            Ok(response) => response.object(self.limits.max_object).await,
            Err(error) => Err(error),
        };
        let of_service = |error: String| format!("Service {namespace}/{name}: {error}");
        let service = service.map_err(|error| of_service(error.to_string()))?;
        private_service::addresses(&service, http2).map_err(of_service)
    }
}
