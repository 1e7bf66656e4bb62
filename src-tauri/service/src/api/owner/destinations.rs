//! Destinations and rules.

use std::{sync::Arc, time::Duration};

use afterglow_model::{
    AddDestination, AddRule, AddedDestination, ApiError, Destination, DestinationAddresses, DestinationId, DestinationTest, Event,
    FoundReceiver, PairReceiver, Rule, RuleId, SetAddresses, SetConfig, SetCredential, UploadJobOptions,
};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::{
    CoreState,
    routes::{Routes, routes},
};
use crate::{
    addresses, clock,
    core::Core,
    destinations,
    engine::Command,
    error::{Answer, Refusal},
    nearby,
};

pub(super) fn router() -> Routes<Arc<Core>> {
    Routes::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(receivers, pair))
        .routes(routes!(test))
        .routes(routes!(credential))
        .routes(routes!(config))
        .routes(routes!(addresses_of, set_addresses))
        .routes(routes!(options))
        .routes(routes!(rules, add_rule))
        .routes(routes!(remove_rule))
}

/// The destinations.
#[utoipa::path(get, path = "/v1/destinations", responses((status = 200, body = [Destination])))]
async fn list(State(core): CoreState) -> Answer<Json<Vec<Destination>>> {
    Ok(Json(core.queue.destinations().await?))
}

/// Adds a destination after a real test upload. If that fails, nothing is added.
#[utoipa::path(post, path = "/v1/destinations", request_body = AddDestination, responses((status = 200, body = AddedDestination), (status = 502, body = ApiError)))]
async fn add(State(core): CoreState, Json(request): Json<AddDestination>) -> Answer<Json<AddedDestination>> {
    destinations::add(&core, request).await.map(Json)
}

#[derive(Debug, Deserialize, IntoParams)]
struct Search {
    /// For so long; 3000 if it is not said, 30000 at most.
    timeout_ms: Option<u64>,
}

/// Searches the local network for receivers that announce themselves.
#[utoipa::path(get, path = "/v1/receivers", params(Search), responses((status = 200, body = [FoundReceiver])))]
async fn receivers(Query(search): Query<Search>) -> Answer<Json<Vec<FoundReceiver>>> {
    nearby::search(Duration::from_millis(search.timeout_ms.unwrap_or(3000))).await.map(Json)
}

/// Pairs with a receiver by the code that it shows, and adds it as a destination after a real test upload.
#[utoipa::path(post, path = "/v1/receivers", request_body = PairReceiver, responses((status = 200, body = AddedDestination), (status = 502, body = ApiError)))]
async fn pair(State(core): CoreState, Json(request): Json<PairReceiver>) -> Answer<Json<AddedDestination>> {
    nearby::pair(&core, request).await.map(Json)
}

/// Removes a destination. Its open jobs are cancelled; what was delivered stays there.
#[utoipa::path(delete, path = "/v1/destinations/{id}", params(("id" = String, Path)), responses((status = 204)))]
async fn remove(State(core): CoreState, Path(id): Path<DestinationId>) -> Answer<StatusCode> {
    let destination = core.destination(id.as_str()).await?;
    destinations::remove(&core, &destination).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tests a destination with a real small upload.
#[utoipa::path(post, path = "/v1/destinations/{id}/test", params(("id" = String, Path)), responses((status = 200, body = DestinationTest), (status = 502, body = ApiError)))]
async fn test(State(core): CoreState, Path(id): Path<DestinationId>) -> Answer<Json<DestinationTest>> {
    let destination = core.destination(id.as_str()).await?;
    destinations::test(&core, &destination).await.map(Json)
}

/// Signs in again: a new token or what a sign-in in the browser gave, tested before it is kept.
#[utoipa::path(put, path = "/v1/destinations/{id}/credential", params(("id" = String, Path)), request_body = SetCredential, responses((status = 200, body = Destination), (status = 502, body = ApiError)))]
async fn credential(
    State(core): CoreState,
    Path(id): Path<DestinationId>,
    Json(request): Json<SetCredential>,
) -> Answer<Json<Destination>> {
    let destination = core.destination(id.as_str()).await?;
    destinations::set_credential(&core, &destination, request).await.map(Json)
}

/// The addresses of a destination, and which of them is used now.
#[utoipa::path(get, path = "/v1/destinations/{id}/addresses", params(("id" = String, Path)), responses((status = 200, body = DestinationAddresses)))]
async fn addresses_of(State(core): CoreState, Path(id): Path<DestinationId>) -> Answer<Json<DestinationAddresses>> {
    addresses::look(&core, &core.destination(id.as_str()).await?).map(Json)
}

/// Replaces the addresses of a destination: others, corrected, or in another order. Each that is new is tried with a real small upload, and
/// refused if another server answers there. Then nothing is changed.
#[utoipa::path(put, path = "/v1/destinations/{id}/addresses", params(("id" = String, Path)), request_body = SetAddresses, responses((status = 200, body = Destination), (status = 502, body = ApiError)))]
async fn set_addresses(
    State(core): CoreState,
    Path(id): Path<DestinationId>,
    Json(request): Json<SetAddresses>,
) -> Answer<Json<Destination>> {
    let destination = core.destination(id.as_str()).await?;
    addresses::set(&core, &destination, request).await.map(Json)
}

/// Changes what a destination's connector has to know beyond the addresses, such as the certificate that is trusted, after a test with it.
#[utoipa::path(put, path = "/v1/destinations/{id}/config", params(("id" = String, Path)), request_body = SetConfig, responses((status = 200, body = Destination), (status = 502, body = ApiError)))]
async fn config(
    State(core): CoreState,
    Path(id): Path<DestinationId>,
    Json(request): Json<SetConfig>,
) -> Answer<Json<Destination>> {
    let destination = core.destination(id.as_str()).await?;
    destinations::set_config(&core, &destination, request).await.map(Json)
}

/// Replaces a destination's own rules, which can only be stricter than the person's settings.
#[utoipa::path(put, path = "/v1/destinations/{id}/options", params(("id" = String, Path)), request_body = UploadJobOptions, responses((status = 200, body = Destination)))]
async fn options(
    State(core): CoreState,
    Path(id): Path<DestinationId>,
    Json(options): Json<UploadJobOptions>,
) -> Answer<Json<Destination>> {
    let destination = core.destination(id.as_str()).await?;
    let changed = core.queue.set_destination_options(&destination.id, options).await?;
    core.command(Command::Reload).await;
    core.tell(Event::DestinationsChanged);
    Ok(Json(changed))
}

/// The rules.
#[utoipa::path(get, path = "/v1/rules", responses((status = 200, body = [Rule])))]
async fn rules(State(core): CoreState) -> Answer<Json<Vec<Rule>>> {
    Ok(Json(core.queue.rules().await?))
}

/// Makes a rule. The collection may be named by id or title, the destination by id or name.
#[utoipa::path(post, path = "/v1/rules", request_body = AddRule, responses((status = 200, body = Rule), (status = 404, body = ApiError)))]
async fn add_rule(State(core): CoreState, Json(request): Json<AddRule>) -> Answer<Json<Rule>> {
    let collection = core
        .library
        .find_collection(request.collection_id.as_str())
        .await?
        .ok_or_else(|| Refusal::not_found("album", &request.collection_id))?;
    let destination = core.destination(request.destination_id.as_str()).await?;
    let rule = core.queue.add_rule(&collection.id, &collection.title, &destination.id, clock::wall()).await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    core.tell(Event::DestinationsChanged);
    Ok(Json(rule))
}

/// Removes a rule. Jobs that only it wanted are cancelled; what was delivered stays.
#[utoipa::path(delete, path = "/v1/rules/{id}", params(("id" = String, Path)), responses((status = 204)))]
async fn remove_rule(State(core): CoreState, Path(id): Path<RuleId>) -> Answer<StatusCode> {
    if !core.queue.remove_rule(&id).await? {
        return Err(Refusal::not_found("rule", &id));
    }
    core.queue.cancel_rule_jobs(&id, clock::wall()).await?;
    core.passes.follow_now();
    core.command(Command::Reload).await;
    core.tell(Event::DestinationsChanged);
    Ok(StatusCode::NO_CONTENT)
}
