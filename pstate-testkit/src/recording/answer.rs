use pstate_core::{Outcome, Page, Record, Space};

use super::response::Response;

/// What a method of an adapter returns.
pub(crate) trait Answer: Clone {
    fn into_response(self) -> Response;
}

impl Answer for Vec<Option<Record>> {
    fn into_response(self) -> Response {
        Response::Records(self)
    }
}

impl Answer for Vec<Outcome> {
    fn into_response(self) -> Response {
        Response::Outcomes(self)
    }
}

impl Answer for Page {
    fn into_response(self) -> Response {
        Response::Page(self)
    }
}

impl Answer for Vec<Space> {
    fn into_response(self) -> Response {
        Response::Spaces(self)
    }
}

impl Answer for () {
    fn into_response(self) -> Response {
        Response::Done
    }
}
