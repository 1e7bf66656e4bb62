//! Routes with their OpenAPI document, which is made when somebody asks for it.
//!
//! `utoipa_axum`'s own router makes it with the routes: some megabytes of schemas at every start of the service, for nobody.

use axum::routing::MethodRouter;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// What is served, and how it is described.
pub(super) struct Routes<S> {
    router: axum::Router<S>,
    described: Vec<fn() -> UtoipaMethodRouter<S>>,
}

/// Handlers of one path.
pub(super) struct Handlers<S> {
    pub(super) path: String,
    pub(super) methods: MethodRouter<S>,
    pub(super) described: fn() -> UtoipaMethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new() -> Self {
        Self { router: axum::Router::new(), described: Vec::new() }
    }

    pub(super) fn routes(mut self, handlers: Handlers<S>) -> Self {
        self.described.push(handlers.described);
        Self { router: self.router.route(&handlers.path, handlers.methods), ..self }
    }

    /// One that the document does not name.
    pub(super) fn route(self, path: &str, methods: MethodRouter<S>) -> Self {
        Self { router: self.router.route(path, methods), ..self }
    }

    pub(super) fn merge(mut self, other: Self) -> Self {
        self.described.extend(other.described);
        Self { router: self.router.merge(other.router), ..self }
    }

    pub(super) fn into_router(self) -> axum::Router<S> {
        self.router
    }

    pub(super) fn document(self) -> OpenApi {
        self.described.into_iter().fold(OpenApiRouter::new(), |all, describe| all.routes(describe())).into_openapi()
    }
}

/// Handlers of one path that are described by `#[utoipa::path]`.
macro_rules! routes {
    ($first:ident $(, $other:ident)* $(,)?) => {
        $crate::api::routes::Handlers {
            path: ::pastey::paste!(<[<__path_ $first>] as ::utoipa::Path>::path()),
            methods: $crate::api::routes::routes!(@on ::axum::routing::MethodRouter::new(), $first $(, $other)*),
            described: || ::utoipa_axum::routes!($first $(, $other)*),
        }
    };
    (@on $methods:expr $(, $handler:ident)*) => {{
        let methods = $methods;
        $(
            let methods = ::pastey::paste!(<[<__path_ $handler>] as ::utoipa::Path>::methods())
                .iter()
                .fold(methods, |methods, method| methods.on(::utoipa_axum::PathItemExt::to_method_filter(method), $handler));
        )*
        methods
    }};
}
pub(super) use routes;
