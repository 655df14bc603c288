//! The embedded broker as a program: a Kafka cluster in memory for any Kafka client to talk to.

use rkafka::mock::{commands, profiles, Faults, MockCluster, Options, Security};
use rkafka::sys::{interrupt, poll::poll};
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: rkafka-broker [options]

A Kafka cluster in memory, for tests and measurements. Topics are created when first named.

  --listen HOST:PORT    where the first broker listens, the others on the ports after it; port 0: any
                        (default 127.0.0.1:9092)
  --brokers N           number of brokers (default 1)
  --partitions N        partitions of a topic created without a count (default 4)
  --topic NAME[:N]      create a topic; may be repeated
  --log SIZE            bytes kept of each partition, with k, m or g (default 64m)
  --discard             check and count what is produced, keep nothing: for measuring producers
  --message-max SIZE    the largest record batch (default 1048588)
  --log-append-time     records bear the broker's time instead of the producer's
  --release NAME        imitate a release's request versions: RELEASES or newest (default newest)
  --faults SEED         strike requests with random faults, the same for the same seed
  --tls-cert FILE       speak TLS with this certificate (PEM) ...
  --tls-key FILE        ... and its key
  --tls-client-ca FILE  ask clients for a certificate that one of these CAs has signed
  --sasl NAME[,NAME]    ask for SASL by one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (unsigned tokens)
  --user NAME:PASSWORD  a user of SASL; may be repeated
  --session MS          clients must authenticate again within so many milliseconds (default 0: never)
  --verbose             a line per second about what was produced, and lines about refused input
  --control             take commands from standard input, see below
  --help

Ends on Ctrl-C, and with --control also at the end of standard input.

Commands of --control, one a line. Each is answered by a line on standard output once it is in effect: ok and what
was asked for, or error and why. --verbose then writes to standard error alone.
COMMANDS";

struct Args {
    brokers: i32,
    options: Options,
    topics: Vec<(String, i32)>,
    release: String,
    security: Security,
    tls: [Option<String>; 3],
    faults: Option<u64>,
    control: bool,
    verbose: bool,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            eprint!("rkafka-broker: {e}\n\n{}", usage());
            return ExitCode::from(2);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rkafka-broker: {e}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let releases = profiles::names().collect::<Vec<_>>().join(", ");
    USAGE.replace("RELEASES", &releases).replace("COMMANDS", commands::HELP)
}

/// `None`: help was asked for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let mut out = Args {
        brokers: 1,
        options: Options { port: 9092, ..Options::default() },
        topics: Vec::new(),
        release: "newest".to_string(),
        security: Security::default(),
        tls: Default::default(),
        faults: None,
        control: false,
        verbose: false,
    };
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name.to_string(), Some(value.to_string())),
            None => (arg, None),
        };
        let mut value = || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--help" | "-h" => return Ok(None),
            "--listen" => {
                let v = value()?;
                let (host, port) = v.rsplit_once(':').ok_or(format!("--listen {v}: HOST:PORT is wanted"))?;
                out.options.host = host.trim_start_matches('[').trim_end_matches(']').to_string();
                out.options.port = number(&name, port)?;
            }
            "--brokers" => out.brokers = number(&name, &value()?)?,
            "--partitions" => out.options.default_partitions = number(&name, &value()?)?,
            "--topic" => {
                let v = value()?;
                let (topic, n) = match v.rsplit_once(':') {
                    Some((topic, n)) => (topic, number(&name, n)?),
                    None => (v.as_str(), -1),
                };
                out.topics.push((topic.to_string(), n));
            }
            "--log" => out.options.retention_bytes = size(&name, &value()?)?,
            "--message-max" => out.options.message_max_bytes = size(&name, &value()?)?,
            "--discard" => out.options.discard = true,
            "--log-append-time" => out.options.log_append_time = true,
            "--release" => out.release = value()?,
            "--tls-cert" => out.tls[0] = Some(file(&name, &value()?)?),
            "--tls-key" => out.tls[1] = Some(file(&name, &value()?)?),
            "--tls-client-ca" => out.tls[2] = Some(file(&name, &value()?)?),
            "--sasl" => out.security = out.security.with_sasl(&value()?.split(',').collect::<Vec<_>>())?,
            "--user" => {
                let v = value()?;
                let (user, password) = v.split_once(':').ok_or("--user: NAME:PASSWORD is wanted")?;
                out.security = out.security.with_user(user, password);
            }
            "--session" => out.security = out.security.with_session_lifetime(number(&name, &value()?)?),
            "--faults" => out.faults = Some(number(&name, &value()?)?),
            "--control" => out.control = true,
            "--verbose" | "-v" => out.verbose = true,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    match &out.tls {
        [Some(certificate), Some(key), ca] => {
            out.security = out.security.with_tls(certificate, key, ca.as_deref())?;
        }
        [None, None, None] => {}
        _ => return Err("--tls-cert and --tls-key belong together".to_string()),
    }
    Ok(Some(out))
}

fn file(name: &str, path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{name}: {path}: {e}"))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}: {value} is not a number in range"))
}

fn size(name: &str, value: &str) -> Result<usize, String> {
    let (digits, shift) = match value.chars().last().map(|c| c.to_ascii_lowercase()) {
        Some('k') => (&value[..value.len() - 1], 10),
        Some('m') => (&value[..value.len() - 1], 20),
        Some('g') => (&value[..value.len() - 1], 30),
        _ => (value, 0),
    };
    let n: usize = number(name, digits)?;
    n.checked_mul(1 << shift).ok_or(format!("{name}: {value} is too large"))
}

fn run(mut args: Args) -> Result<(), String> {
    let interrupted = interrupt::catch();
    if args.verbose {
        args.options.log = Some(|line| eprintln!("{line}"));
    }
    let cluster = MockCluster::new(args.brokers, args.options)?;
    if !cluster.set_profile(&args.release) {
        return Err(format!("release {} is not known", args.release));
    }
    for (topic, partitions) in &args.topics {
        cluster
            .create_topic(topic, *partitions, -1)
            .map_err(|e| format!("topic {topic}:{partitions}: {}", e.description()))?;
    }
    cluster.set_security(args.security);
    cluster.set_faults(args.faults.map(Faults::random));
    println!("listening on {}", cluster.bootstrap());
    // Whoever started this through a pipe waits for that line.
    std::io::stdout().flush().map_err(|e| e.to_string())?;

    let ended = Arc::new(AtomicBool::new(false));
    if args.control {
        let (cluster, ended) = (cluster.clone(), ended.clone());
        // It waits for input that may never come, so it is not joined: it ends with the process.
        std::thread::spawn(move || {
            obey(&cluster);
            ended.store(true, Ordering::SeqCst);
        });
    }

    let (mut last, mut at) = (cluster.produced(), Instant::now());
    while !interrupted.load(Ordering::SeqCst) && !ended.load(Ordering::SeqCst) {
        // A signal ends the wait early.
        let wait = Duration::from_millis(if args.control { 50 } else { 1000 });
        poll(&mut [], Some(wait)).map_err(|e| e.to_string())?;
        if args.verbose && at.elapsed() >= Duration::from_millis(990) {
            let now = cluster.produced();
            if now != last {
                say(args.control, &report(last, now, at.elapsed().as_secs_f64()));
            }
            (last, at) = (now, Instant::now());
        }
    }
    cluster.shutdown();
    let (records, bytes, batches) = cluster.produced();
    say(args.control, &format!("produced in all: {records} records in {batches} batches, {bytes} bytes"));
    Ok(())
}

/// With a controlling program at the other end, standard output is for answers alone.
fn say(control: bool, line: &str) {
    // Nobody may be reading any more, which is no reason to fail.
    let _ = if control { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
}

/// Carries out the commands on standard input until it ends or the answers find no reader.
fn obey(cluster: &MockCluster) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let answer = match commands::run(cluster, &line) {
            Ok(answer) if answer.is_empty() => "ok".to_string(),
            Ok(answer) => format!("ok {answer}"),
            Err(why) => format!("error {why}"),
        };
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn report(last: (u64, u64, u64), now: (u64, u64, u64), seconds: f64) -> String {
    let rate = |a: u64, b: u64| (b - a) as f64 / seconds;
    format!(
        "{:>12.0} records/s {:>10.1} MB/s {:>8.0} batches/s, in all {} records",
        rate(last.0, now.0),
        rate(last.1, now.1) / 1e6,
        rate(last.2, now.2),
        now.0
    )
}
