//! A fake upstream: every source's protocol on loopback, with faults to order.
//!
//! Owns a small threaded HTTP/1.1 server ([`FakeUpstream`]), what publishes packages on it
//! ([`pypi`], [`npm`], [`github`], [`aqua`], [`cargo`], [`apt`], plain files), TLS in front of it
//! ([`tls`]), and builders of the archives and executables that packages
//! hold ([`archives`], [`executables`]). Invariants: nothing leaves the machine, nothing sleeps,
//! and the same calls serve the same bytes.

#[cfg(feature = "deb")]
mod apt;
mod aqua;
mod archives;
#[cfg(feature = "provenance")]
mod authority;
mod cargo;
mod connection;
mod executables;
mod fault;
mod github;
mod npm;
mod oci;
mod pypi;
mod server;
mod tls;

#[cfg(feature = "deb")]
pub(crate) use apt::{AptKey, AptSuite};
pub(crate) use archives::{Tree, tar_gz, tgz, wheel, zip};
#[cfg(feature = "provenance")]
pub(crate) use authority::{Authority, Identity, Minisigner, SigningKey, attestation_object};
pub(crate) use cargo::Crate;
pub(crate) use executables::{Machine, elf_with_interpreter, executable};
pub(crate) use fault::Fault;
pub(crate) use github::GithubRelease;
pub(crate) use npm::NpmPackage;
pub(crate) use oci::{OCI_TOKEN, OciImage, oci_digest};
pub(crate) use pypi::Form;
pub(crate) use server::FakeUpstream;
#[allow(unused_imports, reason = "named by tests that look at headers")]
pub(crate) use server::Request;
pub(crate) use tls::{TlsAuthority, TlsFront};
