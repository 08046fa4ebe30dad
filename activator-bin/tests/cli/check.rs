//! Which configurations are accepted, and what is said of the others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{check, file};

#[test]
fn check_of_a_good_configuration_is_silent() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let certified = certified.expect("a key and a certificate of it");
    for name in ["tls.crt", "backends.pem"] {
        file(name, &certified.cert.pem());
    }
    file("tls.key", &certified.signing_key.serialize_pem());
    let full = include_str!("../config/full.toml");
    let full = full.replace("/etc/activator", env!("CARGO_TARGET_TMPDIR"));
    // What revisions start must be on any machine.
    let full = ["python3", "docker"]
        .map(str::to_owned)
        .iter()
        .fold(full, |full, program| full.replace(program, "sh"));
    let full = full
        .replace("/srv/{name}", "/")
        .replace("user = \"www-data\"", "");
    let full = file("full.toml", &full);
    check(&["--check"], &[], 0, "");
    check(&["run", "--check"], &[], 0, "");
    check(&["--check", "--config", &full], &[], 0, "");
    check(&["run", "--config", &full, "--check"], &[], 0, "");
    check(&["check"], &[], 0, "");
    check(&["check", &full], &[], 0, "");
    check(&["check", "--config", &full], &[], 0, "");
    check(&["check"], &[("ACTIVATOR_CONFIG", &full)], 0, "");
}

#[test]
fn what_revisions_start_is_looked_for() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("presence");
    std::fs::create_dir_all(folder.join("bin/web")).expect("a folder can be made");
    let program = folder.join("bin/app");
    std::fs::write(&program, "#!/bin/sh").expect("a file can be written");
    std::fs::write(folder.join("bin/text"), "").expect("a file can be written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(program, executable).expect("a file of its own");
    let folder = folder.to_str().expect("UTF-8");
    let look = |fields: &str, expected: &str| {
        let text = format!(
            "[[revision]]\nnamespace = 'default'\nname = 'web'\n{}\n",
            fields.replace("FOLDER", folder)
        );
        let file = file("presence.toml", &text);
        let expected = expected.replace("FOLDER", folder);
        let (code, stderr) = match &*expected {
            "" => (0, String::new()),
            why => (
                78,
                format!("activator: what revisions start is not there\ndefault/web: {why}\n"),
            ),
        };
        check(
            &["check", &file],
            &[("PATH", "/usr/bin:/bin")],
            code,
            &stderr,
        );
    };
    let process =
        |fields: &str, expected: &str| look(&format!("max_scale = 1\n{fields}"), expected);
    process("command = 'sh'", "");
    process("command = 'FOLDER/bin/app'", "");
    process("command = './app'\ndir = 'FOLDER/bin'", "");
    process("command = '../app'\ndir = 'FOLDER/bin/{name}'", "");
    process("command = 'app'\nenv = { PATH = 'FOLDER/bin' }", "");
    process(
        "command = 'app'",
        "command: there is no program \"app\" on the PATH, /usr/bin:/bin",
    );
    process(
        "command = 'sh'\nenv = { PATH = '/{index}' }",
        "command: there is no program \"sh\" on the PATH, /0",
    );
    process(
        "command = 'FOLDER/bin/text'",
        "command: FOLDER/bin/text is not executable",
    );
    process(
        "command = 'FOLDER/bin/web'",
        "command: FOLDER/bin/web is not a program",
    );
    process(
        "command = 'FOLDER/other'",
        "command: cannot run FOLDER/other: No such file or directory (os error 2)",
    );
    process(
        "command = 'sh'\ndir = 'FOLDER/none'",
        "dir: cannot enter the directory FOLDER/none: No such file or directory (os error 2)",
    );
    process(
        "command = 'sh'\ndir = 'FOLDER/bin/app'",
        "dir: FOLDER/bin/app is not a directory",
    );
    process(
        "command = 'sh'\nuser = 'nobody-of-this-name'",
        "user: there is no user \"nobody-of-this-name\"",
    );
    process(
        "command = 'sh'\nbusy_check = 'busy'",
        "busy_check: there is no program \"busy\" on the PATH, /usr/bin:/bin",
    );
    look(
        "backends = ['127.0.0.1:1']\nstart_command = 'true'\nstop_command = 'stop'",
        "stop_command: there is no program \"stop\" on the PATH, /usr/bin:/bin",
    );
}

#[test]
fn bad_tls_files_exit_with_78() {
    let empty = file("empty.pem", "");
    let flags = ["--listen-https", "127.0.0.1:0", "--tls-certificate", &empty];
    let why = |certificate: &str, key: &str| {
        format!(
            "activator: the TLS files are invalid\n\
             {certificate}certificate: {empty} contains no certificate; a PEM file with -----BEGIN CERTIFICATE----- is expected\n\
             {key}key: /nowhere cannot be read: No such file or directory (os error 2)\n"
        )
    };
    let run = [&flags[..], &["--tls-key", "/nowhere"]].concat();
    let by_flags = why("--tls-certificate: tls.", "--tls-key: tls.");
    check(&run, &[], 78, &by_flags);
    check(&[&run[..], &["--check"]].concat(), &[], 78, &by_flags);
    let by_variable = why("--tls-certificate: tls.", "ACTIVATOR_TLS_KEY: tls.");
    let variable = ("ACTIVATOR_TLS_KEY", "/nowhere");
    check(&flags, &[variable], 78, &by_variable);
    let section = format!(
        "[listen]\nhttps = '127.0.0.1:0'\n[[certificate]]\nhosts = ['a.example.org']\ncertificate = '{empty}'\nkey = '/nowhere'\n"
    );
    let path = file("certificate.toml", &section);
    let place = format!("{path}:3:1: certificate[0].");
    let in_section = why(&place, &place);
    check(&["check", &path], &[], 78, &in_section);
    check(&["run", "--config", &path], &[], 78, &in_section);
}

#[test]
fn bad_configuration_exits_with_78_and_all_errors() {
    let bad = file("bad.toml", "workers = 0\n");
    let one = format!(
        "activator: the configuration has 1 error\n{bad}:1:11: workers: expected a whole number from 1 to 1024, found 0\n"
    );
    check(&["--config", &bad], &[], 78, &one);
    check(&["run", "--config", &bad], &[], 78, &one);
    check(&["check", &bad], &[], 78, &one);
    check(&[], &[("ACTIVATOR_CONFIG", &bad)], 78, &one);
    let three = format!(
        "activator: the configuration has 3 errors\n\
         {bad}:1:11: workers: expected a whole number from 1 to 1024, found 0\n\
         ACTIVATOR_LISTEN_HTTP: listen.http: expected an IP address and a port, like \"127.0.0.1:8012\", found \"x\"\n\
         --reporter-interval: reporter.interval: expected a duration with its unit, \"10ms\" to \"1h\", found \"0s\"\n"
    );
    let variables = [("ACTIVATOR_LISTEN_HTTP", "x")];
    check(
        &["--config", &bad, "--reporter-interval", "0s"],
        &variables,
        78,
        &three,
    );
}

#[test]
fn config_flag_wins_over_its_variable() {
    let bad = file("ignored.toml", "workers = 0\n");
    let good = file("good.toml", "workers = 1\n");
    check(
        &["--check", "--config", &good],
        &[("ACTIVATOR_CONFIG", &bad)],
        0,
        "",
    );
    check(&["--check"], &[("ACTIVATOR_CONFIG", "")], 0, "");
}

#[test]
fn missing_file_is_a_bad_configuration() {
    let stderr = "activator: the configuration has 1 error\n\
                  /nonexistent.toml: cannot be read: No such file or directory (os error 2)\n";
    check(&["--config", "/nonexistent.toml"], &[], 78, stderr);
}
