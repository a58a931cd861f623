use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use wire::Lag;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Answers one request with these bytes and gives back what was asked.
async fn answer_once(answer: String) -> (Patroni, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    });
    (Patroni::at_port(port), asked)
}

fn json(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.0 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn members_are_read_with_every_form_of_lag() {
    let body = r#"{"members":[
        {"name":"c-0","role":"leader","state":"running","api_url":"http://10.0.0.1:8008/patroni","host":"10.0.0.1","port":5432,"timeline":3},
        {"name":"c-1","role":"replica","state":"streaming","timeline":3,"lag":42,"pending_restart":true},
        {"name":"c-2","role":"replica","state":"starting","lag":"unknown"}],"scope":"c"}"#;
    let (patroni, asked) = answer_once(json("200 OK", body)).await;
    let answer = patroni.cluster(LOCAL).await.unwrap();
    let lags: Vec<Lag> = answer.members.iter().map(|member| member.lag).collect();
    assert_eq!(lags, [Lag::Absent, Lag::Bytes(42), Lag::Unknown]);
    assert!(answer.members[1].pending_restart && !answer.pause);
    assert!(asked.await.unwrap().starts_with("GET /cluster HTTP/1.1"));
}

#[tokio::test]
async fn an_unhealthy_member_still_tells_its_state() {
    let body = r#"{"state":"starting","role":"replica","server_version":170005}"#;
    let (patroni, _) = answer_once(json("503 Service Unavailable", body)).await;
    let member = patroni.member(LOCAL).await.unwrap();
    assert_eq!(
        (member.state.as_str(), member.server_version),
        ("starting", Some(170_005))
    );
}

#[tokio::test]
async fn a_refused_patch_carries_patronis_words() {
    let (patroni, asked) = answer_once(json("400 Bad Request", "invalid ttl")).await;
    let error = patroni
        .patch_config(LOCAL, &serde_json::json!({"ttl": 1}))
        .await
        .unwrap_err();
    assert!(matches!(&error, PatroniError::Refused { status, message, .. }
        if *status == StatusCode::BAD_REQUEST && message == "invalid ttl"));
    assert!(asked.await.unwrap().ends_with(r#"{"ttl":1}"#));
}

#[tokio::test]
async fn a_switchover_names_who_leads_and_who_shall() {
    let (patroni, asked) = answer_once(json("200 OK", "Successfully switched over to \"c-1\"")).await;
    patroni.switch_over(LOCAL, "c-0", "c-1").await.unwrap();
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /switchover HTTP/1.1"), "{asked}");
    assert!(
        asked.ends_with(r#"{"leader":"c-0","candidate":"c-1"}"#),
        "{asked}"
    );
    let (patroni, _) = answer_once(json("412 Precondition Failed", "leader name does not match")).await;
    assert!(patroni.switch_over(LOCAL, "c-0", "c-1").await.is_err());
}

#[tokio::test]
async fn a_member_that_waits_for_no_restart_is_as_good_as_restarted() {
    let (patroni, asked) = answer_once(json("503 Service Unavailable", NOTHING_PENDING)).await;
    patroni.restart_pending(LOCAL).await.unwrap();
    assert!(asked.await.unwrap().ends_with(r#"{"restart_pending":true}"#));
    let (patroni, _) = answer_once(json("503 Service Unavailable", "restart failed")).await;
    assert!(patroni.restart_pending(LOCAL).await.is_err());
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let body = " ".repeat(MAX_BODY + 1);
    let (patroni, _) = answer_once(json("200 OK", &body)).await;
    let error = patroni.config(LOCAL).await.unwrap_err();
    assert!(matches!(error, PatroniError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Patroni::at_port(port).cluster(LOCAL).await.unwrap_err();
    assert!(matches!(error, PatroniError::Unreachable { .. }), "{error}");
}

/// A member that speaks TLS and wants a user and a password, as Patroni with `restapi.certfile` and `restapi.authentication`.
struct Locked {
    port: u16,
    authority: String,
}

const BODY: &str = r#"{"members":[],"scope":"c"}"#;

async fn locked() -> Locked {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    // Its name is no address.
    let leaf = rcgen::CertificateParams::new(vec!["member.example".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(server));
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = vec![0; 4096];
            let read = stream.read(&mut buffer).await.unwrap_or_default();
            let asked = String::from_utf8_lossy(&buffer[..read]).to_lowercase();
            // `herd:sword`.
            let is_known = asked.contains("authorization: basic agvyzdpzd29yza==");
            let answer = if is_known {
                json("200 OK", BODY)
            } else {
                json("401 Unauthorized", "no auth header received")
            };
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    Locked { port, authority }
}

fn entrance(authority: Option<&str>, password: Option<&str>) -> Entrance {
    let secret = |text: &str| pgherd_model::secret::Secret::new(text);
    Entrance {
        has_tls: true,
        authority: authority.map(secret),
        login: password.map(|password| (secret("herd"), secret(password))),
    }
}

#[tokio::test]
async fn members_are_entered_with_tls_and_a_password() {
    let member = locked().await;
    let patroni = Patroni::at_port(member.port);
    let other = patroni.clone();
    // In clear, nobody answers in a way that can be read.
    assert!(matches!(
        patroni.cluster(LOCAL).await,
        Err(PatroniError::Unreachable { .. } | PatroniError::Unreadable { .. })
    ));
    patroni.enter_by(entrance(Some(&member.authority), Some("sword")));
    assert!(other.cluster(LOCAL).await.unwrap().members.is_empty());
    patroni.enter_by(entrance(None, Some("sword")));
    other.cluster(LOCAL).await.unwrap();
}

#[tokio::test]
async fn who_is_not_let_in_is_told_what_to_do_and_no_password() {
    let member = locked().await;
    let patroni = Patroni::at_port(member.port);
    for password in [None, Some("wrong-word")] {
        patroni.enter_by(entrance(Some(&member.authority), password));
        let change = patroni.patch_config(LOCAL, &json!({"ttl": 30})).await;
        let error = change.unwrap_err();
        assert!(matches!(error, PatroniError::Unauthorized { .. }), "{error:?}");
        let told = format!("{error} {error:?} {patroni:?}");
        assert!(told.contains("patroni_api_secret_name") && !told.contains("wrong-word"));
    }
}

#[tokio::test]
async fn a_stranger_gets_no_password() {
    let (member, stranger) = (locked().await, locked().await);
    let patroni = Patroni::at_port(member.port);
    patroni.enter_by(entrance(Some(&stranger.authority), Some("sword")));
    let error = patroni.cluster(LOCAL).await.unwrap_err();
    assert!(matches!(error, PatroniError::Unreachable { .. }), "{error:?}");
    patroni.enter_by(entrance(Some("no certificate"), Some("sword")));
    let error = patroni.cluster(LOCAL).await.unwrap_err();
    assert!(matches!(error, PatroniError::Closed { .. }), "{error:?}");
    patroni.enter_by(entrance(Some(&member.authority), Some("sword")));
    patroni.cluster(LOCAL).await.unwrap();
    patroni.close("secret a/b does not exist".to_owned());
    let error = patroni.cluster(LOCAL).await.unwrap_err().to_string();
    assert!(error.contains("secret a/b does not exist"), "{error}");
    patroni.enter_by(entrance(Some(&member.authority), Some("sword")));
    patroni.cluster(LOCAL).await.unwrap();
}
