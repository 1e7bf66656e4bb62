//! `/pairing`: a computer that knows the code becomes a sender. The exchange is described in `afterglow-nearby`.

use afterglow_nearby::{Claim, Greeting, Refused, Welcome};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};

use crate::problem::Problem;
use crate::server::Server;

/// Far more than a claim has; whoever sends it is a stranger.
const CLAIM_BYTES_MAX: usize = 1024;

pub(super) fn router() -> Router<Server> {
    let router = Router::new().route("/pairing", post(greet)).route("/pairing/{id}", post(claim));
    router.layer(DefaultBodyLimit::max(CLAIM_BYTES_MAX))
}

async fn greet(State(server): State<Server>) -> Result<Json<Greeting>, Problem> {
    server.pairing.greet().map(Json).map_err(refusal)
}

async fn claim(State(server): State<Server>, Path(id): Path<String>, Json(claim): Json<Claim>) -> Result<Json<Welcome>, Problem> {
    let (welcome, token) = server.pairing.claim(&id, &claim).map_err(refusal)?;
    // Committed first, so that whoever is welcomed stays a sender.
    server.admit(&token).await?;
    Ok(Json(welcome))
}

fn refusal(refused: Refused) -> Problem {
    let (status, detail) = match refused {
        Refused::Closed => (StatusCode::GONE, "No code is valid now. Have the receiver show a new one.".to_owned()),
        Refused::Unknown => (StatusCode::NOT_FOUND, "This pairing is over. Begin another one.".to_owned()),
        Refused::Wrong(0) => {
            (StatusCode::FORBIDDEN, "The code is wrong, and valid no more. Have the receiver show a new one.".to_owned())
        }
        Refused::Wrong(left) => (StatusCode::FORBIDDEN, format!("The code is wrong. Tries left: {left}.")),
    };
    Problem::new(status, detail)
}
