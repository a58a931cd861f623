//! Running another program: with a time limit, its output captured, and an error that says what was tried and what to do.
//! Long-lived programs are not started here; see `localkube::supervisor`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// How long a program may take when the caller names no limit.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);
/// Between two looks at whether a program has ended.
const POLL: Duration = Duration::from_millis(5);
/// How much of a failed program's last words an error repeats.
const LAST_LINES: usize = 5;

/// One run of a program.
#[derive(Debug)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    envs: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    input: Input,
    timeout: Duration,
    purpose: Option<String>,
    advice: Option<String>,
}

#[derive(Debug)]
enum Input {
    Nothing,
    Text(String),
    File(File),
}

impl Run {
    /// A run of `program`, looked up in `PATH`, without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            dir: None,
            input: Input::Nothing,
            timeout: DEFAULT_TIMEOUT,
            purpose: None,
            advice: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable in the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The directory it runs in.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// What it reads on standard input.
    #[must_use]
    pub fn stdin_text(mut self, text: impl Into<String>) -> Self {
        self.input = Input::Text(text.into());
        self
    }

    /// The file that it reads on standard input.
    #[must_use]
    pub fn stdin_file(mut self, file: File) -> Self {
        self.input = Input::File(file);
        self
    }

    /// How long it may take before it is ended, one minute if not set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What it is run for, as it reads after "cannot": `install packages`.
    #[must_use]
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Some(purpose.into());
        self
    }

    /// What a person can do when it fails.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Runs it and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or exits with anything but 0.
    pub fn output(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.succeeded()?.stdout).into_owned())
    }

    /// Runs it and returns what it says beside its output: its standard error.
    ///
    /// # Errors
    /// As [`Run::output`].
    pub fn notes(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.succeeded()?.stderr).into_owned())
    }

    fn succeeded(self) -> Result<Output> {
        let done = self.run()?;
        if done.output.status.success() {
            return Ok(done.output);
        }
        let words = last_words(&done.output);
        Err(done
            .failure
            .error(&format!("{}{words}", ending(done.output.status))))
    }

    /// Runs it and tells whether it exited with 0; its output is dropped.
    ///
    /// # Errors
    /// When it cannot be started or takes too long.
    pub fn succeeds(self) -> Result<bool> {
        Ok(self.run()?.output.status.success())
    }

    fn run(self) -> Result<Done> {
        let failure = Failure::of(&self);
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env("PATH", search_path())
            .envs(self.envs)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let mut text = None;
        match self.input {
            Input::Nothing => command.stdin(Stdio::null()),
            Input::File(file) => command.stdin(file),
            Input::Text(given) => {
                text = Some(given);
                command.stdin(Stdio::piped())
            }
        };
        let mut child = command
            .spawn()
            .map_err(|error| failure.error(&error.to_string()))?;
        if let (Some(text), Some(mut stdin)) = (text, child.stdin.take()) {
            // A program that ends early does not read it all; its exit code tells that story better.
            let _ = stdin.write_all(text.as_bytes());
        }
        match wait(child, self.timeout)? {
            Some(output) => Ok(Done { output, failure }),
            None => Err(failure.error(&format!(
                "took longer than {} s and was ended",
                self.timeout.as_secs()
            ))),
        }
    }
}

/// What became of a program, and the words for the case that it is not what was hoped for.
struct Done {
    output: Output,
    failure: Failure,
}

struct Failure {
    line: String,
    purpose: Option<String>,
    advice: Option<String>,
}

impl Failure {
    fn of(run: &Run) -> Self {
        let mut line = run.program.to_string_lossy().into_owned();
        for arg in &run.args {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        Self {
            line,
            purpose: run.purpose.clone(),
            advice: run.advice.clone(),
        }
    }

    fn error(&self, reason: &str) -> anyhow::Error {
        let purpose = self
            .purpose
            .as_ref()
            .map_or_else(String::new, |purpose| format!("cannot {purpose}: "));
        let advice = self
            .advice
            .as_ref()
            .map_or_else(String::new, |advice| format!("; {advice}"));
        anyhow!("{purpose}`{}`: {reason}{advice}", self.line)
    }
}

/// Waits for the end and collects both outputs; nothing when the time was up and it had to be ended.
fn wait(mut child: Child, timeout: Duration) -> Result<Option<Output>> {
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let end = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child
            .try_wait()
            .context("waiting for a program that was started")?
        {
            break status;
        }
        if Instant::now() > end {
            child.kill().context("ending a program that took too long")?;
            child.wait().context("waiting for a program that was ended")?;
            return Ok(None);
        }
        thread::sleep(POLL);
    };
    match (stdout.join(), stderr.join()) {
        (Ok(stdout), Ok(stderr)) => Ok(Some(Output {
            status,
            stdout,
            stderr,
        })),
        _ => bail!("the thread that reads a program's output ended early"),
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn ending(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn last_words(output: &Output) -> String {
    let text = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() {
        String::new()
    } else {
        format!(": {}", last.join(" / "))
    }
}

/// Directories where Debian keeps the administrator's programs and people put Go, whatever `PATH` says.
const MORE_DIRS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/go/bin"];

/// The file of a program that [`Run`] would find.
pub fn find_program(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path())
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// `PATH`, and where else programs are looked for.
pub fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(MORE_DIRS.map(PathBuf::from));
    // Only a directory with a colon in its name cannot be joined, and `PATH` had none.
    std::env::join_paths(dirs).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_standard_output() {
        assert_eq!(Run::new("cat").stdin_text("hello").output().unwrap(), "hello");
    }

    #[test]
    fn failure_names_purpose_last_words_and_advice() {
        let run = Run::new("sh")
            .args(["-c", "echo no luck >&2; exit 3"])
            .purpose("try it")
            .advice("try again");
        let error = run.output().unwrap_err().to_string();
        assert!(error.starts_with("cannot try it: `sh -c"), "{error}");
        assert!(error.ends_with("exit code 3: no luck; try again"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = Run::new("sleep")
            .arg("30")
            .timeout(Duration::from_millis(50))
            .output()
            .unwrap_err();
        assert!(error.to_string().contains("took longer"), "{error}");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = Run::new("no-such-program").output().unwrap_err();
        assert!(
            error.to_string().starts_with("`no-such-program`: No such file"),
            "{error}"
        );
    }
}
