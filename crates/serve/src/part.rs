//! Subresources that are no view of the parent object: scale, actions, streams.

use crate::body::Body;
use crate::route::Route;
use crate::server::Server;
use bytes::Bytes;
use http::Response;
use meta::{Result, Status};
use resource::Subresource;

/// What is not served yet answers as what does not exist.
pub async fn answer(
    _server: &Server,
    _route: &Route,
    _part: &Subresource,
    _body: impl Future<Output = Result<Bytes>>,
) -> Result<Response<Body>> {
    Err(Status::resource_not_found())
}
