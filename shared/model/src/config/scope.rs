//! What readers of values are handed. A leaf: rows (`param`) and types (`value`) both speak of it.

/// What reading a value may need to know, and where it leaves remarks.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    /// Namespace of the operator, for names given without one.
    pub(crate) namespace: &'a str,
    /// Remarks on what was accepted but is not taken literally.
    pub(crate) remarks: Vec<String>,
}

impl<'a> Scope<'a> {
    pub(crate) const fn new(namespace: &'a str) -> Self {
        Self {
            namespace,
            remarks: Vec::new(),
        }
    }
}
