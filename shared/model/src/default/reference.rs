//! The table of defaults as a page.

use std::fmt::Write;

use super::TABLE;

/// The page `docs/reference/defaults.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Defaults that are decided once\n\n\
         <!-- Generated from the table in `shared/model/src/default.rs`; do not edit. -->\n\n\
         The mutating webhook fills these fields in when a cluster is created, and keeps them when an update leaves them out. What a\n\
         manifest says is never changed or removed. All other defaults follow the operator's configuration: they are not written into\n\
         the manifest, and `status.effective` shows them.\n\n\
         | field | becomes | why it is decided once |\n|---|---|---|\n",
    );
    for default in TABLE {
        // Writing into a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            default.path.join("."),
            default.becomes,
            default.why
        );
    }
    page
}
