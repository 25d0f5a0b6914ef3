//! Tests of calling Go, with a runner that plays it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::sync::Mutex;

use super::*;
use crate::build::{Ended, StartError};

/// Plays `go`: notes the call, writes the command where Go would, says what it is told to.
#[derive(Default)]
struct Player {
    calls: Mutex<Vec<Call>>,
    refuse_install: Option<&'static str>,
}

impl Player {
    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().expect("lock"))
    }
}

fn words(call: &Call) -> Vec<String> {
    call.args.iter().map(|a| a.to_str().expect("text").to_owned()).collect()
}

fn var<'a>(call: &'a Call, name: &str) -> &'a str {
    call.env.get(OsStr::new(name)).and_then(|v| v.to_str()).unwrap_or("unset")
}

impl Runner for Player {
    fn run(&self, call: &Call) -> std::result::Result<Ended, StartError> {
        let words = words(call);
        self.calls.lock().expect("lock").push(call.clone());
        let ended = |success, said: &str| Ok(Ended { success, stderr: said.to_owned() });
        if let (Some(said), "install") = (self.refuse_install, words[0].as_str()) {
            return ended(false, said);
        }
        let file = match words.iter().position(|w| w == "-o") {
            Some(at) => PathBuf::from(&words[at + 1]),
            None => {
                let bin = Path::new(var(call, "GOPATH")).join("bin");
                match var(call, "GOOS") {
                    "linux" => bin.join("tool"),
                    os => bin.join(format!("{os}_{}", var(call, "GOARCH"))).join("tool.exe"),
                }
            }
        };
        if !words.contains(&"-n".to_owned()) {
            fs::create_dir_all(file.parent().expect("parent")).expect("mkdir");
            fs::write_atomic(&file, b"made").expect("write");
        }
        ended(true, "")
    }
}

struct Place {
    dir: tempfile::TempDir,
    player: Player,
}

impl Place {
    fn new(player: Player) -> Self {
        Self { dir: tempfile::tempdir().expect("tempdir"), player }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn with<T>(&self, work: impl FnOnce(&Site<'_>) -> T) -> T {
        let (dir, cache) = (self.at("work"), self.at("compiled"));
        let go = Path::new("/go/bin/go");
        work(&Site { runner: &self.player, go, dir: &dir, cache: &cache })
    }

    /// A module in a proxy's layout.
    fn module(&self, top: &Path, text: &str) {
        let at = top.join("example.com/tool/@v");
        fs::create_dir_all(&at).expect("mkdir");
        fs::write_atomic(&at.join("v1.0.0.mod"), text.as_bytes()).expect("write");
        let mut zip = zip::ZipWriter::new(fs::create_new(&at.join("v1.0.0.zip")).expect("zip"));
        for (name, text) in
            [("go.mod", text), ("LICENSE", "free"), ("cmd/tool/LICENSE", "x"), ("main.go", "x")]
        {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(format!("example.com/tool@v1.0.0/{name}"), options).expect("start");
            zip.write_all(text.as_bytes()).expect("write");
        }
        zip.finish().expect("finish");
    }
}

const MODULE: &str = "example.com/tool";
const PACKAGE: &str = "example.com/tool/cmd/tool";
const LINUX: Target = Target::of(Platform::X86_64Linux);

fn make(place: &Place, target: Target, flags: &Flags) -> Result<(String, Call)> {
    let (proxy, into) = (place.at("proxy"), place.at("tree"));
    fs::create_dir_all(&into).expect("mkdir");
    let wish = Wish { package: PACKAGE, version: "v1.0.0", flags };
    let name =
        place.with(|site| super::make(site, &wish, target, &proxy, "example.com/tool", &into))?;
    Ok((name, place.player.calls().pop().expect("a call")))
}

#[test]
fn installs_by_version_in_an_environment_of_our_own() {
    let place = Place::new(Player::default());
    place.module(&place.at("proxy"), "module example.com/tool\n");
    let (name, call) = make(&place, LINUX, &Flags::default()).expect("made");
    assert_eq!(name, "tool");
    let want = ["install", "-trimpath", "-buildvcs=false", "-ldflags=-buildid="];
    assert_eq!(words(&call)[..4], want);
    assert_eq!(words(&call)[4], format!("{PACKAGE}@v1.0.0"));
    for (name, value) in [
        ("GOFLAGS", ""),
        ("GOTOOLCHAIN", "local"),
        ("CGO_ENABLED", "0"),
        ("GOSUMDB", "off"),
        ("GOAMD64", "v1"),
        ("PATH", "unset"),
    ] {
        assert_eq!(var(&call, name), value, "{name}");
    }
    assert_eq!(var(&call, "GOPROXY"), format!("file://{}", place.at("proxy").display()));
    let names = |at: &str| fs::read_dir_names(&place.at(at)).expect("names");
    assert_eq!(names("tree"), ["LICENSE", "bin"], "the module's own licence alone");
    assert_eq!(names("tree/bin"), ["tool"]);

    let flags = Flags { tags: vec!["a".into(), "b".into()], ldflags: Some("-s -w".into()) };
    let (name, call) =
        make(&place, Target::of(Platform::X86_64Windows), &flags).expect("made for another");
    assert_eq!(name, "tool.exe");
    let said = words(&call);
    assert!(said.contains(&"-ldflags=-s -w -buildid=".to_owned()), "{said:?}");
    assert!(said.contains(&"-tags=a,b".to_owned()), "{said:?}");
}

#[test]
fn a_module_that_replaces_others_is_built_from_its_directory() {
    let place = Place::new(Player::default());
    let text = "module example.com/tool\nreplace example.com/a => example.com/b v1.0.0\n";
    place.module(&place.at("proxy"), text);
    let (_, call) = make(&place, LINUX, &Flags::default()).expect("made");
    let said = words(&call);
    assert_eq!((said[0].as_str(), said.last().map(String::as_str)), ("build", Some("./cmd/tool")));
    assert_eq!(call.cwd, place.at("work/module"));
    assert!(fs::exists(&place.at("work/module/main.go")).expect("look"));

    // Looking up tells it by the go.mod that Go has downloaded before it refuses.
    let refuse_install = Some("go: example.com/tool@v1.0.0 contains replace directives");
    let place = Place::new(Player { refuse_install, ..Player::default() });
    place.module(&place.at("work").join(DOWNLOADS), text);
    let flags = Flags::default();
    let wish = Wish { package: PACKAGE, version: "v1.0.0", flags: &flags };
    let found = place
        .with(|site| discover(site, &wish, MODULE, &[LINUX], &Network::default()))
        .expect("found");
    assert!(found.overrides);
    assert_eq!(found.lines.len(), 2);
}

#[test]
fn what_go_says_is_told() {
    let flags = Flags::default();
    let wish = Wish { package: PACKAGE, version: "v1.0.0", flags: &flags };
    let said = "go: downloading x v1\ncmd/tool/main.go:3:5: undefined: nothing";
    let place = Place::new(Player { refuse_install: Some(said), ..Player::default() });
    place.module(&place.at("proxy"), "module example.com/tool\n");
    let error = make(&place, LINUX, &flags).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "`example.com/tool/cmd/tool` v1.0.0 cannot be built for linux/amd64"
    );
    let details = crate::base::Diagnose::details(&error);
    assert_eq!(details, ["cmd/tool/main.go:3:5: undefined: nothing"]);

    let absent = "package example.com/tool/cmd/tool: build constraints exclude all Go files in /x";
    let place = Place::new(Player { refuse_install: Some(absent), ..Player::default() });
    let found = place
        .with(|site| discover(site, &wish, MODULE, &[LINUX], &Network::default()))
        .expect("nothing to build is an answer");
    assert_eq!((found.absent, found.lines.len()), (vec![LINUX], 0));
}

#[test]
fn looking_up_uses_what_go_is_told_here() {
    let place = Place::new(Player::default());
    let flags = Flags::default();
    let wish = Wish { package: PACKAGE, version: "v1.0.0", flags: &flags };
    let vars = [("GOPROXY", "http://proxy.invalid"), ("GONOSUMDB", "corp.invalid")];
    let network = Network { vars: vars.map(|(n, v)| (n.to_owned(), Secret::new(v))).into() };
    place.with(|site| discover(site, &wish, MODULE, &[LINUX], &network)).expect("found");
    let call = place.player.calls().pop().expect("a call");
    assert!(words(&call).contains(&"-n".to_owned()), "nothing is compiled");
    let seed = place.at("work/seed");
    let proxies = format!("file://{},http://proxy.invalid", seed.display());
    assert_eq!(var(&call, "GOPROXY"), proxies);
    let names = fs::read_dir_names(&seed.join("example.com/tool/@v")).expect("names");
    assert_eq!(names, ["list", "v1.0.0.info"], "the list of a proxy is not asked for");
    assert_eq!(var(&call, "GONOSUMDB"), "corp.invalid");
    assert_eq!(var(&call, "GOSUMDB"), "unset", "the toolchain's own default");
    assert_eq!(var(&call, "GOFLAGS"), "");
}
