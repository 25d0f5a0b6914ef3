//! A simple index on the fake upstream, in JSON, in HTML, or in whichever the client asks for.
//!
//! Pages lie below `/simple/`, files below `/files/`; links are relative, as mirrors write them.

use std::collections::BTreeMap;

use infra::base::Integrity;

use super::server::FakeUpstream;

/// Which forms of the index the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// What the client accepts.
    #[default]
    Both,
    /// HTML alone (PEP 503), whatever the client asks for.
    Html,
}

/// Projects by normalised name.
#[derive(Default)]
pub(super) struct Projects {
    form: Form,
    files: BTreeMap<String, BTreeMap<String, Published>>,
}

struct Published {
    hex: String,
    size: usize,
    yanked: bool,
    /// When it was uploaded.
    uploaded: Option<String>,
    /// Whether its provenance object is served.
    signed: bool,
}

impl FakeUpstream {
    /// Base URL of the index.
    pub(crate) fn pypi_url(&self) -> String {
        self.url("/simple/")
    }

    /// Path of a project's page, for faults and counting.
    pub(crate) fn pypi_page(project: &str) -> String {
        format!("/simple/{project}/")
    }

    /// Path of a file, for faults and counting.
    pub(crate) fn pypi_file(file: &str) -> String {
        format!("/files/{file}")
    }

    /// Which forms are spoken from now on.
    pub(crate) fn pypi_form(&self, form: Form) -> &Self {
        self.shared.state().packages.form = form;
        let projects: Vec<_> = self.shared.state().packages.files.keys().cloned().collect();
        for project in projects {
            self.render_pypi(&project);
        }
        self
    }

    /// Publishes a file of a project (normalised name).
    pub(crate) fn pypi(&self, project: &str, file: &str, body: Vec<u8>) -> &Self {
        let hex = Integrity::sha256_of(&body).hex();
        let published =
            Published { hex, size: body.len(), yanked: false, uploaded: None, signed: false };
        let mut state = self.shared.state();
        let files = state.packages.files.entry(project.to_owned()).or_default();
        files.insert(file.to_owned(), published);
        drop(state);
        self.file(&Self::pypi_file(file), body);
        self.render_pypi(project);
        self
    }

    /// Withdraws a file (PEP 592); it is served on.
    pub(crate) fn pypi_yank(&self, project: &str, file: &str) -> &Self {
        let mut state = self.shared.state();
        let files = state.packages.files.get_mut(project);
        files.and_then(|files| files.get_mut(file)).expect("a published file").yanked = true;
        drop(state);
        self.render_pypi(project);
        self
    }

    /// The files of a project, each with its SHA-256 in hexadecimal.
    pub(crate) fn pypi_files(&self, project: &str) -> Vec<(String, String)> {
        let state = self.shared.state();
        let files = state.packages.files.get(project).into_iter().flatten();
        files.map(|(name, f)| (name.clone(), f.hex.clone())).collect()
    }

    /// Path of a file's provenance object, for faults and counting.
    pub(crate) fn pypi_provenance_of(file: &str) -> String {
        format!("/provenance/{file}")
    }

    /// Serves a file's provenance object (PEP 740).
    pub(crate) fn pypi_provenance(
        &self,
        project: &str,
        file: &str,
        object: &serde_json::Value,
    ) -> &Self {
        self.pypi_change(project, file, |f| f.signed = true);
        self.file(&Self::pypi_provenance_of(file), object.to_string())
    }

    /// Says when a file was uploaded (PEP 700).
    pub(crate) fn pypi_uploaded(&self, project: &str, file: &str, time: &str) -> &Self {
        self.pypi_change(project, file, |f| f.uploaded = Some(time.to_owned()))
    }

    fn pypi_change(&self, project: &str, file: &str, change: impl Fn(&mut Published)) -> &Self {
        let mut state = self.shared.state();
        let files = state.packages.files.get_mut(project);
        change(files.and_then(|files| files.get_mut(file)).expect("a published file"));
        drop(state);
        self.render_pypi(project);
        self
    }

    fn render_pypi(&self, project: &str) {
        let state = self.shared.state();
        let files = &state.packages.files[project];
        let anchors: String = files
            .iter()
            .map(|(name, f)| {
                let yanked = if f.yanked { " data-yanked=\"\"" } else { "" };
                format!("<a href=\"../../files/{name}#sha256={}\"{yanked}>{name}</a><br/>\n", f.hex)
            })
            .collect();
        let html = format!("<!DOCTYPE html>\n<html><body>\n{anchors}</body></html>\n");
        let list: Vec<_> = files
            .iter()
            .map(|(name, f)| {
                serde_json::json!({
                    "filename": name,
                    "url": format!("../../files/{name}"),
                    "hashes": {"sha256": f.hex},
                    "size": f.size,
                    "yanked": f.yanked,
                    "upload-time": f.uploaded,
                    "provenance": f.signed.then(|| format!("../../provenance/{name}")),
                })
            })
            .collect();
        let json = serde_json::json!({
            "meta": {"api-version": "1.3"}, "name": project, "files": list,
        });
        let mut variants = vec![("text/html", html.into_bytes())];
        if state.packages.form == Form::Both {
            let json = json.to_string().into_bytes();
            variants.insert(0, ("application/vnd.pypi.simple.v1+json", json));
        }
        drop(state);
        self.route(&Self::pypi_page(project), variants);
    }
}
