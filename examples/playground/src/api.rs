//! What the page asks: which algorithms there are, a run of its own, a step in it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::algorithms::{self, Described};
use crate::pane::Mistake;
use crate::session::{Session, Setting};
use crate::sessions::Sessions;
use crate::step::Step;

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/api/algorithms", get(described))
        .route("/api/start", post(start))
        .route("/api/step", post(step))
        .with_state(Sessions::default())
}

async fn described() -> Json<Vec<Described>> {
    Json(algorithms::all())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    setting: Setting,
    /// The page's run so far, which ends.
    replaced: Option<String>,
}

#[derive(Serialize)]
struct Started {
    session: String,
    /// How much of the past to show, in microseconds.
    span: u64,
    /// Into how many parts a picture divides it.
    instants: u64,
}

async fn start(State(sessions): State<Sessions>, Json(start): Json<Start>) -> Response {
    match Session::new(&start.setting).await {
        Ok(session) => {
            let span = session.span();
            let session = sessions.keep(session, start.replaced.as_deref());
            Json(Started { session, span, instants: Session::INSTANTS }).into_response()
        }
        Err(mistakes) => mistaken(mistakes),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stepped {
    session: String,
    step: Step,
}

async fn step(State(sessions): State<Sessions>, Json(Stepped { session, step }): Json<Stepped>) -> Response {
    let Some(run) = sessions.find(&session) else {
        return (StatusCode::NOT_FOUND, "that run is over\n").into_response();
    };
    if let Some(mistake) = step.mistake() {
        return mistaken(vec![mistake]);
    }
    let mut run = run.lock().await;
    match run.step(&step).await {
        Ok(frame) => Json(frame).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn mistaken(mistakes: Vec<Mistake>) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(mistakes)).into_response()
}
