//! Against a stand-in on loopback.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;

use super::*;

/// Answers by the team's name, and counts.
async fn stand_in() -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let answer = move |Path(team): Path<String>, headers: HeaderMap| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            if headers.get("authorization").and_then(|it| it.to_str().ok()) != Some("Bearer t0ken") {
                return (StatusCode::UNAUTHORIZED, "{}".to_owned());
            }
            match team.as_str() {
                "acid" => (
                    StatusCode::OK,
                    r#"{"id": "acid", "member": ["elephant", "o'hara"], "alias": []}"#.to_owned(),
                ),
                "broken" => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    r#"{"error": "out of\nluck"}"#.to_owned(),
                ),
                "rubbish" => (StatusCode::OK, "<html>".to_owned()),
                "shapeless" => (StatusCode::OK, "{}".to_owned()),
                "renamed" => (StatusCode::OK, r#"{"members": ["elephant"]}"#.to_owned()),
                "null" => (StatusCode::OK, r#"{"member": null}"#.to_owned()),
                "empty" => (StatusCode::OK, r#"{"member": []}"#.to_owned()),
                "slow" => {
                    tokio::time::sleep(Duration::from_mins(5)).await;
                    (StatusCode::OK, "{}".to_owned())
                }
                "a/b" => (StatusCode::OK, r#"{"member": ["escaped"]}"#.to_owned()),
                _ => (StatusCode::NOT_FOUND, "{}".to_owned()),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/api/teams/{team}", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/api/"), count)
}

fn token() -> impl Future<Output = Result<Secret, String>> {
    std::future::ready(Ok(Secret::new("t0ken")))
}

#[tokio::test]
async fn members_are_asked_for_once() {
    let (url, count) = stand_in().await;
    let teams = Teams::default();
    let wanted = BTreeSet::from(["elephant".to_owned(), "o'hara".to_owned()]);
    for _ in 0..3 {
        assert_eq!(
            teams.members(&url, "acid", token()).await,
            Source::Known(Some(wanted.clone()))
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let odd = teams.members(&url, "a/b", token()).await;
    assert_eq!(odd, Source::Known(Some(["escaped".to_owned()].into())));
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_question() {
    let (url, count) = stand_in().await;
    let teams = Teams::default();
    let asked = (0..20).map(|_| teams.members(&url, "acid", token()));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.known().is_some()));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn no_such_team_is_an_answer_and_trouble_is_none() {
    let (url, count) = stand_in().await;
    let teams = Teams::default();
    assert_eq!(teams.members(&url, "nobody", token()).await, Source::Known(None));
    let empty = teams.members(&url, "empty", token()).await;
    assert_eq!(empty, Source::Known(Some(BTreeSet::new())));
    for team in ["broken", "rubbish", "shapeless", "renamed", "null"] {
        let answer = teams.members(&url, team, token()).await;
        let why = answer.unknown().unwrap_or_default().to_owned();
        assert!(
            why.contains(team) && !why.contains("t0ken") && !why.contains('\n'),
            "{why}"
        );
    }
    let before = count.load(Ordering::SeqCst);
    assert!(teams.members(&url, "broken", token()).await.unknown().is_some());
    assert_eq!(
        count.load(Ordering::SeqCst),
        before,
        "silence is kept for a while"
    );
}

#[tokio::test]
async fn a_wrong_token_or_none_and_a_dead_server_are_told() {
    let (url, _) = stand_in().await;
    let teams = Teams::default();
    let wrong = teams
        .members(&url, "acid", async { Ok(Secret::new("wr0ng")) })
        .await;
    assert!(
        wrong
            .unknown()
            .is_some_and(|why| why.contains("401") && !why.contains("wr0ng")),
        "{wrong:?}"
    );
    let other = Teams::default();
    let missing = other.members(&url, "acid", async { Err("no secret".to_owned()) });
    assert_eq!(missing.await, Source::Unknown("no secret".to_owned()));
    for url in ["http://127.0.0.1:1/api", "not an address", "/api"] {
        let answer = Teams::default().members(url, "acid", token()).await;
        assert!(answer.unknown().is_some(), "{url}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for() {
    let (url, _) = stand_in().await;
    let start = Instant::now();
    let answer = Teams::default().members(&url, "slow", token()).await;
    assert!(
        answer
            .unknown()
            .is_some_and(|why| why.contains("5s") || why.contains("timed out")),
        "{answer:?}"
    );
    assert!(start.elapsed() < 2 * LIMIT);
}
