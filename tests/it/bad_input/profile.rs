//! Profiles that cannot be used: exit code 2, with file, line and column where there is one.

use crate::world::World;

/// A world whose `base.toml` has a mistake.
fn with_base(text: &str) -> World {
    let world = World::empty();
    world.profiles(text);
    world
}

#[test]
fn unknown_key() {
    let world = with_base("[service.web]\ncomand = [\"serve\"]\n");
    world.refused("profile_unknown_key", 2, ["dep", "lock"]);
}

#[test]
fn unknown_key_at_the_top() {
    with_base("[deps]\nalpha = \"pypi:alpha-bin\"\n").refused(
        "profile_unknown_table",
        2,
        ["env", "build"],
    );
}

#[test]
fn not_toml() {
    with_base("[dep\nalpha = 1\n").refused("profile_syntax", 2, ["run"]);
}

#[test]
fn cycle_in_extends() {
    let world = with_base("extends = \"dev\"\n");
    world.refused("profile_cycle_in_extends", 2, ["dep", "lock"]);
}

#[test]
fn extends_what_is_not_there() {
    let world = World::empty();
    world.env.write("profiles/dev.toml", "extends = \"bse\"\n");
    world.env.write("profiles/base.toml", "");
    world.refused("profile_extends_unknown", 2, ["dep", "lock"]);
}

#[test]
fn cycle_in_after() {
    let world = with_base(
        "[dep]\ntools = \"path:tools\"\n\n\
         [service.a]\ncommand = [\"serve\"]\nafter = [\"b\"]\n\n\
         [service.b]\ncommand = [\"serve\"]\nafter = [\"a\"]\n",
    );
    world.refused("profile_cycle_in_after", 2, ["run"]);
}

#[test]
fn after_an_unknown_service() {
    let world = with_base(
        "[dep]\ntools = \"path:tools\"\n\n[service.web]\ncommand = [\"serve\"]\nafter = [\"wb\"]\n",
    );
    world.refused("profile_after_unknown", 2, ["run"]);
}

#[test]
fn bad_version_range() {
    let world = with_base("[dep]\nalpha = { from = \"pypi:alpha-bin\", version = \"^one\" }\n");
    world.refused("profile_bad_version", 2, ["dep", "lock"]);
}

#[test]
fn unknown_platform() {
    let world = with_base("platforms = [\"x86_64-linux\", \"x86_64-linx\"]\n");
    world.refused("profile_unknown_platform", 2, ["dep", "lock"]);
}

#[test]
fn unknown_source() {
    let world = with_base("[dep]\nalpha = \"pipy:alpha-bin\"\n");
    world.refused("profile_unknown_source", 2, ["dep", "lock"]);
}

#[test]
fn malformed_template() {
    let world = with_base("[env]\nURL = \"http://127.0.0.1:${port.web\"\n");
    world.refused("profile_template_open", 2, ["env", "print"]);
}

#[test]
fn template_names_nothing() {
    let world = with_base("[port]\nweb = 1234\n\n[env]\nURL = \"http://127.0.0.1:${port.wbe}\"\n");
    world.refused("profile_template_unknown", 2, ["env", "print"]);
}

#[test]
fn a_services_program_is_no_command() {
    let world = World::stack();
    world.edit("profiles/base.toml", "[\"serve\", \"second\"]", "[\"serv\", \"second\"]");
    world.env.ok(["dep", "lock", "-q"]);
    world.refused("profile_service_program", 2, ["run"]);
    world.edit("profiles/base.toml", "[\"serv\", ", "[\"nothing-like-it\", ");
    world.refused("profile_service_program_far", 2, ["env", "build"]);
}

#[test]
fn two_deps_offer_one_command() {
    let world = World::stack();
    world.script("more/bin/serve", "#!/bin/sh\n");
    world.edit("profiles/base.toml", "[dep]\n", "[dep]\nmore = \"path:more\"\n");
    world.env.ok(["dep", "lock", "-q"]);
    let outcome = world.env.infra(["env", "build"]);
    world.check_refusal("profile_two_offers", 2, &outcome);
    // The way out that the hint shows is one.
    let base = world.env.read("profiles/base.toml");
    world.env.write("profiles/base.toml", base + "\n[command]\nserve = \"tools\"\n");
    world.env.ok(["env", "build"]);
}

#[test]
fn profiles_disagree_about_a_dep() {
    let world = World::empty();
    world.profiles("");
    world.env.write("profiles/dev.toml", "[dep]\nalpha = \"pypi:alpha-bin@^1\"\n");
    world.env.write("profiles/test.toml", "[dep]\nalpha = \"pypi:alpha-bin@^2\"\n");
    world.refused("profile_disagree", 2, ["dep", "lock"]);
}

#[test]
fn a_file_that_is_not_there() {
    let world = with_base("[file]\n\"app.conf\" = \"conf/app.conf\"\n");
    world.refused("profile_no_file", 2, ["dep", "lock"]);
}
