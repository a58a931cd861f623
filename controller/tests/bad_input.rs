//! What the controller says, as a process, when it is given something it cannot work with: one sentence, and what to do.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

fn controller(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgherd-controller"))
        .args(args)
        .args(["--connect-patience", "1s"])
        .env_remove("KUBECONFIG")
        .output()
        .expect("the controller starts")
}

/// Fails unless it ended with an error that has all these words; returns what was said.
fn complains(output: &Output, words: &[&str]) -> String {
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "it did not fail: {text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert!(
        !text.contains("panicked") && !text.contains("stack backtrace"),
        "{text}"
    );
    text
}

/// A kubeconfig of a server at a port of this machine.
fn kubeconfig(folder: &tempfile::TempDir, port: u16) -> String {
    let path = folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    fs::write(&path, text).expect("kubeconfig is written");
    path.to_string_lossy().into_owned()
}

#[test]
fn kubeconfig_that_is_not_there_is_named() {
    complains(
        &controller(&["--kubeconfig", "/nowhere/kubeconfig"]),
        &["/nowhere/kubeconfig", "--kubeconfig"],
    );
}

#[test]
fn kubeconfig_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("broken");
    fs::write(&path, "clusters: {not: [a").expect("file is written");
    let path = path.to_string_lossy();
    complains(&controller(&["--kubeconfig", &path]), &[&path, "mend it"]);
}

#[test]
fn unknown_context_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = kubeconfig(&folder, 1);
    complains(
        &controller(&["--kubeconfig", &path, "--context", "elsewhere"]),
        &["elsewhere", "--context"],
    );
}

#[test]
fn api_server_that_is_away_is_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its number")
        .port();
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = kubeconfig(&folder, free);
    let args = ["--kubeconfig", &path, "--admin-address", "127.0.0.1:0"];
    complains(
        &controller(&args),
        &["no answer from the API server", &free.to_string(), "reachable"],
    );
}

#[test]
fn port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = kubeconfig(&folder, 1);
    complains(
        &controller(&["--kubeconfig", &path, "--admin-address", &address]),
        &[&address, "in use"],
    );
}

#[test]
fn help_teaches() {
    let output = Command::new(env!("CARGO_BIN_EXE_pgherd-controller"))
        .arg("--help")
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("Examples:") && text.contains("--config-map"),
        "{text}"
    );
}
