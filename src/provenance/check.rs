//! One kind of evidence after the other: what each must say of the artifact and its signer.

use super::evidence::Evidence;
use super::sums::Sums;
use super::{Content, Error, Result, Subject, Trust, Verified, identity, keys, sigstore};
use crate::base::{Algorithm, Hasher, Integrity};

/// See [`super::verify()`].
pub(super) fn verify(
    evidence: &Evidence,
    subject: &Subject<'_>,
    trust: &Trust,
) -> Result<Verified> {
    let kind = evidence.kind();
    let signer = match evidence {
        Evidence::PypiAttestation { publisher, attestation } => {
            let bundle = sigstore::of_attestation(attestation)?;
            let sound = sigstore::by_certificate(&bundle, subject, trust)?;
            check_name(sound.name.as_deref(), subject)?;
            identity::check_publisher(&sound.certificate, publisher)?;
            marked(identity::signer(&sound.certificate)?, trust)
        }
        Evidence::NpmProvenance { name, version, bundle } => {
            keys::check_package(subject.file, name)?;
            let sound = sigstore::by_certificate(bundle, subject, trust)?;
            let expected = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
            match sound.name {
                Some(found) if found == expected => {}
                found => {
                    let found = vec![found.unwrap_or_else(|| "no package".to_owned())];
                    return Err(Error::OtherPackage { expected, found });
                }
            }
            marked(identity::signer(&sound.certificate)?, trust)
        }
        Evidence::NpmSignature { name, version, integrity, signature, key, published } => {
            let published = published.as_deref();
            keys::npm(
                &keys::Signed { name, version, integrity, signature, key, published },
                subject,
            )?
        }
        Evidence::GithubAttestation { repository, bundle } => {
            let sound = sigstore::by_certificate(bundle, subject, trust)?;
            identity::check_repository(&sound.certificate, repository)?;
            marked(identity::signer(&sound.certificate)?, trust)
        }
        Evidence::Minisign { key, signature } => keys::minisign(key, signature, subject)?,
        Evidence::Cosign { identity, issuer, bundle } => {
            let sound = sigstore::by_certificate(bundle, subject, trust)?;
            identity::check_named(&sound.certificate, identity, issuer)?;
            marked(identity::signer(&sound.certificate)?, trust)
        }
        Evidence::Slsa { repository, reference, bundle } => {
            let sound = sigstore::by_certificate(bundle, subject, trust)?;
            identity::check_repository(&sound.certificate, repository)?;
            if let Some(reference) = reference {
                identity::check_reference(&sound.certificate, reference)?;
            }
            marked(identity::builder(&sound.certificate, repository)?, trust)
        }
        Evidence::Listed { list, text, file, sums, by } => {
            return by_list((list, text), (file, sums), by, subject, trust);
        }
        Evidence::CosignKey { key, signature } => {
            if signature.trim_start().starts_with('{') {
                let bundle = serde_json::from_str(signature).map_err(Error::malformed)?;
                let key = keys::pem_key(key)?;
                let signer = keys::key_signer(&key);
                sigstore::by_key(&bundle, key, subject, trust)?;
                signer
            } else {
                keys::cosign(key, signature, subject)?
            }
        }
    };
    Ok(Verified { kind, signer, list: None })
}

/// A checksum file is signed: it lists the artifact under the artifact's own name, and the
/// signature holds for the checksum file.
fn by_list(
    (list, text): (&str, &str),
    (file, sums): (&str, &Sums),
    by: &Evidence,
    subject: &Subject<'_>,
    trust: &Trust,
) -> Result<Verified> {
    if matches!(by, Evidence::Listed { .. }) {
        return Err(Error::malformed("a checksum file lists a checksum file"));
    }
    let own = subject.file.strip_suffix(file);
    let listed =
        sums.find(text, file).map_err(|why| Error::malformed(format!("`{list}`: {why}")))?;
    let is_named = !file.is_empty() && own.is_some_and(|own| own.is_empty() || own.ends_with('/'));
    if !is_named || !subject.digests.contains(&listed) {
        let same = |digest: &&Integrity| digest.algorithm() == listed.algorithm();
        let Some(digest) = subject.digests.iter().find(same) else {
            return Err(Error::NeedsContent);
        };
        let expected = format!("{digest}  `{}`", subject.file);
        return Err(Error::OtherFile { expected, found: vec![format!("{listed}  `{file}`")] });
    }
    let digests = [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(text.as_bytes());
        hasher.finish()
    });
    let content = Some(Content::Bytes(text.as_bytes()));
    let of_list = Subject { file: list, digests: &digests, content };
    Ok(Verified { list: Some(list.to_owned()), ..verify(by, &of_list, trust)? })
}

/// A root of the project's own is part of who signed.
fn marked(signer: String, trust: &Trust) -> String {
    match trust.mark() {
        Some(mark) => format!("{signer} trusted by {mark}"),
        None => signer,
    }
}

/// An index's statement names the file (PEP 740: the subject's name is the file's). Wheels may be
/// spelled in several ways, so what is compared is the name without regard to `-`, `_`, `.`, case.
fn check_name(name: Option<&str>, subject: &Subject<'_>) -> Result<()> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '.'], "_");
    match name {
        Some(name) if plain(name) == plain(subject.file) => Ok(()),
        name => Err(Error::OtherFile {
            expected: subject.file.to_owned(),
            found: vec![name.unwrap_or("no name").to_owned()],
        }),
    }
}
