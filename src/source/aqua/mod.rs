//! What the Aqua registry defines.

use std::sync::Arc;

use async_trait::async_trait;

use super::access::Access;
use super::{Candidate, Location, Offer, Query, Result, Source};
use crate::base::{Platform, SourceKind, Version};

/// The source.
pub(super) struct Aqua {
    #[allow(dead_code)]
    access: Arc<Access>,
}

impl Aqua {
    /// Reaches nothing yet.
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access }
    }
}

#[async_trait]
impl Source for Aqua {
    fn kind(&self) -> SourceKind {
        SourceKind::Aqua
    }

    async fn versions(&self, _query: &Query<'_>) -> Result<Vec<Candidate>> {
        todo!()
    }

    async fn offer(
        &self,
        _query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
    ) -> Result<Offer> {
        todo!()
    }

    async fn locate(
        &self,
        _query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        _file: &str,
    ) -> Result<Vec<Location>> {
        todo!()
    }
}
