//! Whether secrets hold what is given elsewhere, and what they say about the connection. Lives here: comparing, where a secret's content is at
//! hand. Must not: keep any of it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use pgherd_model::names::{connection, secrets};
use pgherd_model::secret::Secret as Text;
use pgherd_planner::observed::{SecretView, Source};
use pgherd_planner::plan::SecretDraft;

use super::Question;
use crate::cache::{Key, Stored};
use crate::context::Context;
use crate::credentials;
use crate::kinds::Watched;

type Data = BTreeMap<String, Text>;

/// Completes the views of the secrets that are more than a name and a password of their own.
pub(super) async fn compare(
    context: &Context,
    question: &Question<'_>,
    objects: &[(Key, Stored)],
    views: &mut Source<Vec<SecretView>>,
) {
    let drafts = question.desired.map(|desired| desired.secrets.as_slice());
    let drafts = drafts.unwrap_or_default();
    let places = drafts.iter().filter_map(|draft| draft.given.as_ref());
    let places = places.map(credentials::place_of).collect();
    context.cache.given.note_used(question.cluster, places);
    let Source::Known(views) = views else { return };
    for draft in drafts
        .iter()
        .filter(|draft| draft.given.is_some() || draft.connection.is_some())
    {
        let is_it = |view: &&mut SecretView| view.namespace == draft.namespace && view.name == draft.name;
        let (Some(view), Some(data)) = (views.iter_mut().find(is_it), content(objects, draft)) else {
            continue;
        };
        view.connection_matches = connects(draft, &data);
        if let Some(key) = &draft.given {
            let given = credentials::given(context, key).await.ok();
            view.given_matches = given.map(|given| {
                let name = data.get(secrets::USERNAME).map(Text::expose);
                name == Some(&draft.username) && data.get(secrets::PASSWORD) == Some(&given)
            });
        }
    }
}

fn content(objects: &[(Key, Stored)], draft: &SecretDraft) -> Option<Data> {
    let named = objects
        .iter()
        .filter(|(key, _)| key.kind == Watched::Secret && key.name == draft.name);
    let mut secrets = named.filter_map(|(_, object)| object.decode::<Secret>());
    let secret = secrets.find(|secret| secret.metadata.namespace.as_ref() == Some(&draft.namespace))?;
    let text = |(key, bytes): (String, k8s_openapi::ByteString)| {
        Some((key, Text::new(String::from_utf8(bytes.0).ok()?)))
    };
    Some(
        secret
            .data
            .unwrap_or_default()
            .into_iter()
            .filter_map(text)
            .collect(),
    )
}

/// None where nothing about the connection is wanted, or a name or a password is missing.
fn connects(draft: &SecretDraft, data: &Data) -> Option<bool> {
    let wanted = draft.connection.as_ref()?;
    let (name, password) = (data.get(secrets::USERNAME)?, data.get(secrets::PASSWORD)?);
    let keys = connection::keys(wanted, name.expose(), password);
    Some(keys.iter().all(|(key, value)| data.get(*key) == Some(value)))
}

#[cfg(test)]
mod tests {
    use pgherd_model::names::connection::Connection;

    use super::*;

    #[test]
    fn connection_keys_are_right_or_missing_or_wrong() {
        let text = |value: &str| Text::new(value);
        let mut data = Data::from([
            ("username".to_owned(), text("app")),
            ("password".to_owned(), text("p")),
        ]);
        let mut draft = SecretDraft::default();
        assert_eq!(connects(&draft, &data), None);
        let wanted = Connection::default();
        draft.connection = Some(wanted.clone());
        assert_eq!(connects(&draft, &data), Some(false));
        let keys = connection::keys(&wanted, "app", &text("p"));
        data.extend(keys.into_iter().map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(connects(&draft, &data), Some(true));
        data.insert("password".to_owned(), text("another"));
        assert_eq!(connects(&draft, &data), Some(false), "the uri holds the old one");
    }
}
