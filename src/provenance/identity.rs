//! Who a certificate says its holder is, as the lock writes it.
//!
//! A workload's certificate names the very run: repository, workflow and git reference. The
//! reference is another one in each version, so a signer is what comes before it, with whoever
//! vouched for the identity: `https://forge.example/OWNER/REPO/.github/workflows/release.yml
//! (https://issuer.example)`. Invariant: signers are equal only when both parts are.

use serde_json::Value;
use sigstore_verify::crypto::CertificateInfo;

use super::{Error, Result};

/// A certificate's subject without its git reference.
pub(super) fn subject(certificate: &CertificateInfo) -> Result<String> {
    let identity = certificate.identity.as_ref().map(|identity| identity.as_str());
    match identity {
        Some(identity) => Ok(without_reference(identity).to_owned()),
        None => Err(Error::Rejected { why: "its certificate names nobody".to_owned() }),
    }
}

/// The signer as the lock writes it.
pub(super) fn signer(certificate: &CertificateInfo) -> Result<String> {
    let issuer = certificate.issuer.as_deref().unwrap_or("no issuer");
    Ok(format!("{} ({issuer})", subject(certificate)?))
}

/// The signer of an artifact that a shared workflow built for a repository: the workflow of
/// somebody else is not enough to know who signed.
pub(super) fn builder(certificate: &CertificateInfo, repository: &str) -> Result<String> {
    let issuer = certificate.issuer.as_deref().unwrap_or("no issuer");
    let subject = subject(certificate)?;
    let repository = repository.to_ascii_lowercase();
    let own = path(&subject).to_ascii_lowercase();
    if own.strip_prefix(&repository).is_some_and(|rest| rest.starts_with('/')) {
        return Ok(format!("{subject} ({issuer})"));
    }
    Ok(format!("{subject} for {repository} ({issuer})"))
}

/// The artifact was built at this git reference.
pub(super) fn check_reference(certificate: &CertificateInfo, wanted: &str) -> Result<()> {
    let claims = &certificate.ci_claims;
    let found = claims.source_repository_ref.as_deref();
    let found = found.or(claims.deprecated_github.workflow_ref.as_deref());
    if found == Some(wanted) {
        return Ok(());
    }
    let found = found.unwrap_or("no reference").to_owned();
    Err(Error::OtherReference { expected: wanted.to_owned(), found })
}

/// `https://…/release.yml@refs/tags/v1` → `https://…/release.yml`; e-mail addresses stay whole.
pub(super) fn without_reference(identity: &str) -> &str {
    match identity.split_once('@') {
        Some((before, _)) if before.contains("://") => before,
        _ => identity,
    }
}

/// The path of a URL without the slash at its beginning.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path)
}

/// The repository that the artifact was built from, `OWNER/REPO`.
fn repository(certificate: &CertificateInfo) -> Option<&str> {
    let claims = &certificate.ci_claims;
    let uri = claims.source_repository_uri.as_deref().map(path);
    uri.or(claims.deprecated_github.workflow_repository.as_deref())
}

/// The artifact was built from this repository.
pub(super) fn check_repository(certificate: &CertificateInfo, wanted: &str) -> Result<()> {
    let found = repository(certificate).unwrap_or("no repository");
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::OtherSigner { expected: wanted.to_owned(), found: found.to_owned() })
}

/// The certificate is of whom an index calls the publisher (PEP 740, "publisher"). Of kinds that
/// are not known only the signature counts, and the signer that the lock keeps.
pub(super) fn check_publisher(certificate: &CertificateInfo, publisher: &Value) -> Result<()> {
    let field = |name: &str| publisher.get(name).and_then(Value::as_str);
    let expected = match (field("kind"), field("repository")) {
        (Some("GitHub"), Some(repository)) => {
            let workflow = field("workflow").unwrap_or_default();
            format!("{repository}/.github/workflows/{workflow}")
        }
        (Some("GitLab"), Some(repository)) => {
            let file = field("workflow_filepath").unwrap_or_default();
            format!("{repository}//{file}")
        }
        (Some("Google"), _) => field("email").unwrap_or_default().to_owned(),
        _ => return Ok(()),
    };
    // The workflow that was run; the subject is a reusable one that it may have called.
    let config = certificate.ci_claims.build_config_uri.as_deref();
    let found = match config {
        Some(config) => path(without_reference(config)).to_owned(),
        None => {
            let subject = subject(certificate)?;
            if subject.contains("://") { path(&subject).to_owned() } else { subject }
        }
    };
    if found.eq_ignore_ascii_case(&expected) {
        return Ok(());
    }
    Err(Error::OtherSigner { expected, found })
}

/// The certificate is of whom the profile names.
pub(super) fn check_named(
    certificate: &CertificateInfo,
    identity: &str,
    issuer: &str,
) -> Result<()> {
    let subject = certificate.identity.as_ref().map_or("nobody", |identity| identity.as_str());
    let by = certificate.issuer.as_deref().unwrap_or("no issuer");
    let same = subject == identity || without_reference(subject) == identity;
    if same && by == issuer {
        return Ok(());
    }
    Err(Error::OtherSigner {
        expected: format!("{identity} ({issuer})"),
        found: format!("{subject} ({by})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_no_part_of_a_signer() {
        for (identity, want) in [
            (
                "https://f.example/o/r/.github/workflows/x.yml@refs/tags/v1",
                "https://f.example/o/r/.github/workflows/x.yml",
            ),
            (
                "https://f.example/o/r/.github/workflows/x.yml@refs/tags/@a/b@1.0",
                "https://f.example/o/r/.github/workflows/x.yml",
            ),
            (
                "https://f.example/o/r//.gitlab-ci.yml@refs/heads/main",
                "https://f.example/o/r//.gitlab-ci.yml",
            ),
            ("someone@example.com", "someone@example.com"),
            ("https://f.example/plain", "https://f.example/plain"),
        ] {
            assert_eq!(without_reference(identity), want);
        }
        assert_eq!(path("https://f.example/o/r"), "o/r");
        assert_eq!(path("f.example"), "");
    }
}
