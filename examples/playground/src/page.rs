//! The page: a few files inside the program.

use axum::Router;
use axum::http::header;
use axum::routing::get;

/// Path, type, content.
const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/controls.js", SCRIPT, include_str!("../page/controls.js")),
    ("/pane.js", SCRIPT, include_str!("../page/pane.js")),
    ("/chart.js", SCRIPT, include_str!("../page/chart.js")),
    ("/icon.svg", "image/svg+xml", include_str!("../page/icon.svg")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) fn routes() -> Router {
    FILES.into_iter().fold(Router::new(), |routes, (path, kind, content)| {
        routes.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], content) }))
    })
}
