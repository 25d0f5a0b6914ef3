//! Commands that crates publish prebuilt.

use std::sync::Arc;

use async_trait::async_trait;

use super::access::Access;
use super::{Candidate, Location, Offer, Query, Result, Source};
use crate::base::{Platform, SourceKind, Version};

/// The source.
pub(super) struct Crates {
    #[allow(dead_code)]
    access: Arc<Access>,
}

impl Crates {
    /// Reaches nothing yet.
    pub(super) fn new(access: Arc<Access>, _forge: Arc<super::forge::Forge>) -> Self {
        Self { access }
    }
}

#[async_trait]
impl Source for Crates {
    fn kind(&self) -> SourceKind {
        SourceKind::Crate
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
