//! Patroni's REST interface, as far as an operator asks it: HTTP/1.1 over kept connections. Who is asked is told by the address that the
//! connection came to.

use std::net::IpAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Member, State, World, leads};

/// The largest request that is read.
const REQUEST: usize = 64 * 1024;

pub(super) async fn serve(listener: TcpListener, world: World) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, world.clone()));
    }
}

/// One connection, which is kept.
async fn talk(mut stream: TcpStream, world: World) -> Option<()> {
    let member = stream.local_addr().ok()?.ip();
    let mut read = Vec::new();
    loop {
        let (line, body) = request(&mut stream, &mut read).await?;
        let (status, answer) = world.state().answer(member, &line, &body);
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
    }
}

/// Method and path, and the body. None when the other side has gone.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        let end = read.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let whole = end + 4 + length.unwrap_or(0_usize);
            if read.len() >= whole {
                let line = String::from_utf8_lossy(&read[..end]).lines().next()?.to_owned();
                let body = serde_json::from_slice(&read[end + 4..whole]).unwrap_or_default();
                read.drain(..whole);
                let mut words = line.split(' ');
                return Some((format!("{} {}", words.next()?, words.next()?), body));
            }
        }
        if read.len() > REQUEST || stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

impl State {
    fn answer(&mut self, at: IpAddr, line: &str, body: &Value) -> (&'static str, Value) {
        let Some(Member { cluster, pod }) = self.members.get(&at).cloned() else {
            return ("404 Not Found", Value::Null);
        };
        match line {
            "GET /cluster" => ("200 OK", self.members_of(&cluster)),
            "GET /config" => ("200 OK", self.configs.get(&cluster).cloned().unwrap_or_default()),
            "GET /patroni" => (
                "200 OK",
                json!({
                    "state": "running", "role": if leads(&pod) { "primary" } else { "replica" },
                    "server_version": 170_004, "patroni": {"version": "4.0.5", "scope": cluster, "name": pod},
                }),
            ),
            _ => {
                self.asked.push((format!("{line} {pod}"), body.clone()));
                if line == "PATCH /config" {
                    let config = self.configs.entry(cluster).or_default();
                    json_patch::merge(config, body);
                }
                ("200 OK", json!({}))
            }
        }
    }

    fn members_of(&self, cluster: &str) -> Value {
        let members = self.clusters.get(cluster).into_iter().flatten();
        let members: Vec<Value> = members
            .map(|(pod, address)| {
                let leads = leads(pod);
                let mut member = json!({
                    "name": pod, "host": address, "port": 5432, "timeline": 1,
                    "role": if leads { "leader" } else { "replica" },
                    "state": if leads { "running" } else { "streaming" },
                });
                if !leads {
                    member["lag"] = json!(0);
                }
                member
            })
            .collect();
        json!({ "members": members, "scope": cluster })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_configuration_is_taken_and_remembered() {
        let mut state = State {
            network: [127, 80],
            ..State::default()
        };
        let at = state.settle("n", "a", "a-0");
        state
            .configs
            .insert("a".to_owned(), json!({"ttl": 30, "slots": {}}));
        let patch = json!({"ttl": 20, "slots": null});
        assert_eq!(state.answer(at, "PATCH /config", &patch).0, "200 OK");
        assert_eq!(
            state.answer(at, "GET /config", &Value::Null).1,
            json!({"ttl": 20})
        );
        assert_eq!(state.asked, [("PATCH /config a-0".to_owned(), patch)]);
        let stranger = IpAddr::from([127, 80, 9, 9]);
        assert_eq!(
            state.answer(stranger, "GET /config", &Value::Null).0,
            "404 Not Found"
        );
    }

    #[test]
    fn the_first_pod_leads_and_the_others_stream() {
        let mut state = State {
            network: [127, 80],
            ..State::default()
        };
        let at = state.settle("n", "a", "a-0");
        state.settle("n", "a", "a-1");
        state.settle("n", "b", "b-0");
        let (_, answer) = state.answer(at, "GET /cluster", &Value::Null);
        let of = |number: usize, key: &str| answer["members"][number][key].clone();
        assert_eq!(answer["members"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            (of(0, "role"), of(1, "state")),
            (json!("leader"), json!("streaming"))
        );
    }
}
