//! A cluster's controls as lines of text, for a program in another process that steers it: `rkafka-broker --control`.

use super::MockCluster;
use crate::error::RespErr;
use crate::protocol::api::{ApiKey, APIS};
use std::str::{FromStr, SplitAsciiWhitespace};

/// The commands, for people.
pub const HELP: &str = "  \
  push-errors API CODES          the next requests of API get these codes, one each, and nothing else happens
  push-after-errors API CODES    as push-errors, but the request is carried out before
  push-broker-errors BROKER API CODES              as push-errors, for one broker; these strike first
  push-partition-errors TOPIC PARTITION API CODES  as push-errors, for one partition of a request
  clear-errors API               take back what was pushed for API
  pending-errors API             how many of them have not struck yet
  cut-answer API BYTES           the next request is carried out, so much of its answer sent, the connection closed
  throttle API MS                answers say that the client is throttled; 0 ends it
  down BROKER, up BROKER         close the listener and all connections; listen again
  drop BROKER                    close all connections
  freeze BROKER, unfreeze BROKER accept, read and answer nothing; go on
  hold BROKER, release BROKER    carry requests out and keep the answers back; send them
  rtt BROKER MS                  delay every answer
  fail-over                      give partitions of brokers that are down other leaders
  topic NAME [PARTITIONS]        create a topic
  delete-topic NAME, recreate-topic NAME           recreate: empty, with another topic id
  partitions TOPIC N             let a topic grow
  topic-error TOPIC CODE         what Metadata says of the topic; 0 ends it
  leader TOPIC PARTITION BROKER  move the leader; -1: none
  forget-producers TOPIC PARTITION                 forget the sequences of idempotent producers
  transaction-version N          0, 1 or 2, as ApiVersions tells it
  transaction-delay MS           from the decision of a transaction to its markers
  transaction-coordinator ID BROKER                move the coordinator of a transactional id
  group-coordinator GROUP BROKER                   move the coordinator of a group
  forget-transaction ID          forget a transactional id, as when it expires
  auto-create on|off             whether Metadata creates topics
  message-max BYTES              the largest record batch
  requests API                   how many have come
  end-offset TOPIC PARTITION     the offset that the next record gets
  stable-offset TOPIC PARTITION  where a read_committed consumer's view ends
  committed GROUP TOPIC PARTITION                  the offset that the group has committed, -1 for none
  connections BROKER             how many are open
API is a name (Produce) or a number. CODES are error codes, -195 to close the connection, -185 not to answer, 0 to let a
request pass; 6*100 is a hundred times 6. BROKER -1 is all brokers.
";

/// What a line of text may hold of pushed errors, so that a slip of the pen does not eat the memory.
const MAX_PUSHED: usize = 1_000_000;

/// Carries one command out. The answer is what was asked for, or empty.
pub fn run(cluster: &MockCluster, line: &str) -> Result<String, String> {
    let mut words = Words(line.split_ascii_whitespace());
    let command = words.text("command")?;
    let answer = match command {
        "push-errors" => {
            let api = words.api()?;
            cluster.push_request_errors(api, &words.codes()?);
            String::new()
        }
        "push-after-errors" => {
            let api = words.api()?;
            cluster.push_after_append_errors(api, &words.codes()?);
            String::new()
        }
        "push-broker-errors" => {
            let (broker, api) = (words.number("BROKER")?, words.api()?);
            let errors: Vec<(i16, i32)> = words.codes()?.into_iter().map(|code| (code, 0)).collect();
            done(cluster.push_broker_request_error_rtts(broker, api, &errors))?
        }
        "push-partition-errors" => {
            let (topic, partition, api) = (words.text("TOPIC")?, words.number("PARTITION")?, words.api()?);
            done(cluster.push_partition_request_errors(topic, partition, api, &words.codes()?))?
        }
        "clear-errors" => {
            cluster.clear_request_errors(words.api()?);
            String::new()
        }
        "pending-errors" => cluster.pending_request_errors(words.api()?).to_string(),
        "cut-answer" => {
            cluster.drop_connection_mid_response(words.api()?, words.number("BYTES")?);
            String::new()
        }
        "throttle" => {
            cluster.throttle(words.api()?, words.number("MS")?);
            String::new()
        }
        "down" => done(cluster.broker_down(words.number("BROKER")?))?,
        "up" => done(cluster.broker_up(words.number("BROKER")?))?,
        "drop" => done(cluster.drop_connections(words.number("BROKER")?))?,
        "freeze" => done(cluster.freeze(words.number("BROKER")?))?,
        "unfreeze" => done(cluster.unfreeze(words.number("BROKER")?))?,
        "hold" => done(cluster.hold_responses(words.number("BROKER")?))?,
        "release" => done(cluster.release_responses(words.number("BROKER")?))?,
        "rtt" => done(cluster.set_rtt(words.number("BROKER")?, words.number("MS")?))?,
        "fail-over" => {
            cluster.fail_over();
            String::new()
        }
        "topic" => {
            let name = words.text("NAME")?;
            let partitions = if words.at_end() { -1 } else { words.number("PARTITIONS")? };
            done(cluster.create_topic(name, partitions, -1))?
        }
        "delete-topic" => done(cluster.delete_topic(words.text("NAME")?))?,
        "recreate-topic" => done(cluster.recreate_topic(words.text("NAME")?))?,
        "partitions" => done(cluster.set_partition_count(words.text("TOPIC")?, words.number("N")?))?,
        "topic-error" => done(cluster.set_topic_error(words.text("TOPIC")?, words.number("CODE")?))?,
        "leader" => {
            let (topic, partition) = (words.text("TOPIC")?, words.number("PARTITION")?);
            done(cluster.set_partition_leader(topic, partition, words.number("BROKER")?))?
        }
        "forget-producers" => done(cluster.forget_producers(words.text("TOPIC")?, words.number("PARTITION")?))?,
        "transaction-version" => {
            cluster.set_transaction_version(words.number("N")?);
            String::new()
        }
        "transaction-delay" => {
            cluster.set_transaction_completion_delay(words.number("MS")?);
            String::new()
        }
        "transaction-coordinator" => {
            done(cluster.move_transaction_coordinator(words.text("ID")?, words.number("BROKER")?))?
        }
        "group-coordinator" => done(cluster.move_group_coordinator(words.text("GROUP")?, words.number("BROKER")?))?,
        "forget-transaction" => match cluster.forget_transactional_id(words.text("ID")?) {
            true => String::new(),
            false => return Err("not known, or in a transaction".to_string()),
        },
        "auto-create" => {
            cluster.set_auto_create_topics(match words.text("on|off")? {
                "on" => true,
                "off" => false,
                other => return Err(format!("auto-create is on or off, not {other}")),
            });
            String::new()
        }
        "message-max" => {
            cluster.set_message_max_bytes(words.number("BYTES")?);
            String::new()
        }
        "requests" => cluster.request_count(words.api()?).to_string(),
        "end-offset" => cluster
            .high_watermark(words.text("TOPIC")?, words.number("PARTITION")?)
            .map_err(|e| e.name().to_string())?
            .to_string(),
        "stable-offset" => cluster
            .last_stable_offset(words.text("TOPIC")?, words.number("PARTITION")?)
            .map_err(|e| e.name().to_string())?
            .to_string(),
        "committed" => {
            let (group, topic) = (words.text("GROUP")?, words.text("TOPIC")?);
            cluster.committed_offset(group, topic, words.number("PARTITION")?).unwrap_or(-1).to_string()
        }
        "connections" => cluster.connection_count(words.number("BROKER")?).to_string(),
        other => return Err(format!("unknown command {other}")),
    };
    if words.at_end() {
        Ok(answer)
    } else {
        Err(format!("{command} is done, but has words too many"))
    }
}

fn done(result: Result<(), RespErr>) -> Result<String, String> {
    result.map(|()| String::new()).map_err(|e| e.name().to_string())
}

/// The words of a line that have not been read.
struct Words<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn text(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or(format!("{what} is missing"))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        parse(self.text(what)?, what)
    }

    fn api(&mut self) -> Result<i16, String> {
        let word = self.text("API")?;
        if let Some(api) = APIS.iter().find(|a| a.name.eq_ignore_ascii_case(word)) {
            return Ok(api.key as i16);
        }
        let key = parse(word, "API")?;
        ApiKey::from_i16(key).map(|k| k as i16).ok_or(format!("there is no API {key}"))
    }

    /// One code at least; `6*100` is a hundred of them.
    fn codes(&mut self) -> Result<Vec<i16>, String> {
        let mut out = Vec::new();
        for word in self.0.by_ref() {
            let (code, times) = match word.split_once('*') {
                Some((code, times)) => (code, parse(times, "count of codes")?),
                None => (word, 1),
            };
            if out.len().saturating_add(times) > MAX_PUSHED {
                return Err(format!("more than {MAX_PUSHED} codes"));
            }
            out.resize(out.len() + times, parse(code, "CODES")?);
        }
        if out.is_empty() {
            return Err("CODES are missing".to_string());
        }
        Ok(out)
    }

    fn at_end(&self) -> bool {
        self.0.clone().next().is_none()
    }
}

fn parse<T: FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{what}: {word} is not a number in range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Options;

    #[test]
    fn commands_steer_the_cluster() {
        let c = MockCluster::new(2, Options::default()).unwrap();
        let ok = |line: &str| run(&c, line).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(ok("topic orders 3"), "");
        assert_eq!(ok("end-offset orders 2"), "0");
        ok("push-errors Produce 7 19*3 -195");
        ok("push-after-errors produce 7");
        ok("push-broker-errors 2 0 6");
        ok("push-partition-errors orders 1 0 6 6");
        assert_eq!(ok("pending-errors Produce"), "9");
        ok("clear-errors Produce");
        assert_eq!(ok("pending-errors Produce"), "0");
        for line in ["leader orders 0 2", "fail-over", "partitions orders 5", "topic-error orders 29", "rtt -1 0"] {
            ok(line);
        }
        assert_eq!((c.partition_leader("orders", 0), c.topics()), (Ok(2), vec![("orders".to_string(), 5)]));
        for line in ["hold 1", "release 1", "freeze 1", "unfreeze 1", "drop 1", "down 1", "up 1", "throttle Produce 5"]
        {
            ok(line);
        }
        for line in ["cut-answer Metadata 3", "message-max 100", "auto-create off", "forget-producers orders 0"] {
            ok(line);
        }
        assert_eq!((ok("requests Produce"), ok("connections 1")), ("0".to_string(), "0".to_string()));
        for line in
            ["transaction-version 1", "transaction-delay 5", "transaction-coordinator id 2", "group-coordinator g 1"]
        {
            ok(line);
        }
        assert_eq!((c.transaction_coordinator("id"), c.group_coordinator("g")), (2, 1));
        assert_eq!((ok("stable-offset orders 0"), ok("committed g orders 0")), ("0".to_string(), "-1".to_string()));
        ok("recreate-topic orders");
        ok("delete-topic orders");
        assert_eq!(run(&c, "end-offset orders 0").unwrap_err(), "UNKNOWN_TOPIC_OR_PART");
    }

    #[test]
    fn wrong_commands_are_told() {
        let c = MockCluster::new(1, Options::default()).unwrap();
        for (line, why) in [
            ("", "command is missing"),
            ("dance", "unknown command dance"),
            ("down", "BROKER is missing"),
            ("down 7", "_UNKNOWN_BROKER"),
            ("down one", "BROKER: one is not a number in range"),
            ("down 1 2", "down is done, but has words too many"),
            ("forget-transaction id", "not known, or in a transaction"),
            ("push-errors Produce", "CODES are missing"),
            ("push-errors Dance 1", "API: Dance is not a number in range"),
            ("push-errors 999 1", "there is no API 999"),
            ("push-errors Produce 1*9999999999", "more than 1000000 codes"),
            ("auto-create maybe", "auto-create is on or off, not maybe"),
        ] {
            assert_eq!(run(&c, line).unwrap_err(), why, "{line}");
        }
    }

    #[test]
    fn help_names_every_command() {
        let source = include_str!("commands.rs");
        let arms = source.split("match command {").nth(1).unwrap().split("other =>").next().unwrap();
        let named = arms.lines().filter_map(|l| l.strip_prefix("        \"")).filter_map(|l| l.split_once("\" =>"));
        let mut count = 0;
        for (command, _) in named {
            let listed = HELP.contains(&format!("  {command} ")) || HELP.contains(&format!(", {command} "));
            assert!(listed, "{command} is not in HELP");
            count += 1;
        }
        assert!(count > 20, "{count}");
    }
}
