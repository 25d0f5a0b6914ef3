//! Container images: what their documents say, and how a registry serves them.
//!
//! Owns names, tags and digests ([`name`]), descriptors, indexes, manifests and configurations
//! ([`image`]), and the protocol with its tokens ([`registry`]). Knows no store and unpacks nothing.
//! Refuses documents whose bytes are not those of their digest. References: OCI image-spec 1.1,
//! OCI distribution-spec 1.1, Docker's "Registry API: token authentication". Invariant: credentials
//! go to the registry they are configured for and to the token service that it names, never where
//! it redirects to.

mod challenge;
pub mod error;
pub mod image;
pub mod name;
pub mod registry;

pub use error::{Error, Result};
pub use image::{Descriptor, Document, Image, LayerKind};
pub use name::{digest, is_repository, is_tag, parse_digest};
pub use registry::{Login, Registry};
