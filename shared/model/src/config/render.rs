//! Sample configurations with the defaults, made of the rows: what `deploy` and the documentation ship.

use super::param::{Forms, Param};
use super::section::{SECTIONS, Section};

/// A ConfigMap as YAML with every parameter that has a default; the others follow as comments.
pub fn config_map(name: &str, namespace: &str) -> String {
    let mut page = header("v1", "ConfigMap", name, namespace, "data");
    for section in SECTIONS {
        for param in section.params.iter().filter(|param| param.forms == Forms::Both) {
            comment(&mut page, 2, param);
            entry(
                &mut page,
                2,
                param.name,
                &quoted(param.default),
                param.default.is_empty(),
            );
        }
    }
    page
}

/// An `OperatorConfiguration` as YAML. Every group is there, so that the schema's defaults apply.
pub fn operator_configuration(name: &str, namespace: &str) -> String {
    let mut page = header(
        "acid.zalan.do/v1",
        "OperatorConfiguration",
        name,
        namespace,
        "configuration",
    );
    for section in SECTIONS {
        if section.group == "general" {
            fields(&mut page, 2, section);
        } else {
            let empty = section.params.iter().all(|param| crd_default(param).is_empty());
            let nothing = if empty { " {}" } else { "" };
            line(&mut page, 2, &format!("{}:{nothing}", section.group));
            fields(&mut page, 4, section);
        }
    }
    page
}

fn header(api_version: &str, kind: &str, name: &str, namespace: &str, body: &str) -> String {
    format!(
        "# Generated from the rows in shared/model/src/config/section. Do not edit.\n\
         apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n{body}:\n"
    )
}

fn fields(page: &mut String, indent: usize, section: &Section) {
    for param in section.params {
        let default = crd_default(param);
        comment(page, indent, param);
        entry(
            page,
            indent,
            param.name,
            &param.json_of_text(default).to_string(),
            default.is_empty(),
        );
    }
}

fn crd_default(param: &Param) -> &'static str {
    param.schema_default.unwrap_or(param.fallback)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A parameter without a default is shown commented out, so that writing nothing is what the sample does.
fn entry(page: &mut String, indent: usize, name: &str, value: &str, unset: bool) {
    line(
        page,
        indent,
        &if unset {
            format!("# {name}:")
        } else {
            format!("{name}: {value}")
        },
    );
}

fn comment(page: &mut String, indent: usize, param: &Param) {
    const WIDTH: usize = 100;
    let mut text = String::from("#");
    for word in param.text().split(' ') {
        if text.len() + word.len() >= WIDTH {
            line(page, indent, &text);
            text.truncate(1);
        }
        text.push(' ');
        text.push_str(word);
    }
    line(page, indent, &text);
}

fn line(page: &mut String, indent: usize, text: &str) {
    page.extend(std::iter::repeat_n(' ', indent));
    page.push_str(text);
    page.push('\n');
}
