//! Parameters with a closed set of values.

use serde_json::Value;

use super::param::Kind;
use super::scope::Scope;
use super::value::ParamValue;

macro_rules! choices {
    ($(
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $text:literal ),+ $(,)? }
    )+) => { $(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[doc = $doc])+ $variant ),+
        }

        impl $name {
            /// Every value, in the order of the CRD's schema.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The spellings of [`Self::ALL`].
            pub const WORDS: &'static [&'static str] = &[$($text),+];

            /// The spelling on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text ),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ParamValue for $name {
            const KIND: Kind = Kind::OneOf(Self::WORDS);

            fn unset() -> Self {
                Self::ALL[0]
            }

            fn from_text(text: &str, _: &mut Scope<'_>) -> Result<Self, String> {
                let found = Self::ALL.iter().find(|choice| choice.as_str() == text);
                found.copied().ok_or_else(|| "is not one of the choices".to_owned())
            }

            fn to_json(&self) -> Value {
                Value::from(self.as_str())
            }
        }
    )+ };
}

choices! {
    /// How Patroni's REST API is spoken to.
    ApiScheme {
        /// In clear.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }

    /// How far a server's certificate is verified.
    TlsVerification {
        /// Not at all: the connection is encrypted, and that is it.
        Require = "require",
        /// That a known authority signed it.
        Authority = "verify-ca",
        /// That, and that it is made out to the host.
        Full = "verify-full",
    }

    /// Who starts an in-place major version upgrade.
    UpgradeMode {
        /// Nobody, but for the teams on the allow list.
        Off = "off",
        /// Whoever raises the version in the manifest.
        Manual = "manual",
        /// The manifest, and the operator for clusters below the minimal version.
        Full = "full",
    }

    /// How volumes grow.
    ResizeMode {
        /// Through the EBS interface, then the file system.
        Ebs = "ebs",
        /// Size through the claim; IOPS, throughput and type through the EBS interface.
        Mixed = "mixed",
        /// By a larger request in the claim.
        Pvc = "pvc",
        /// Not at all.
        Off = "off",
    }

    /// Order in which a StatefulSet makes its pods.
    PodManagement {
        /// One after the other.
        OrderedReady = "ordered_ready",
        /// All at once.
        Parallel = "parallel",
    }

    /// How the node readiness label joins a node affinity from the manifest.
    ReadinessMerge {
        /// Its expressions go into each term of the manifest.
        And = "AND",
        /// It becomes one more term.
        Or = "OR",
    }

    /// Traffic policy of load balancer and node port services.
    TrafficPolicy {
        /// Any node may forward.
        Cluster = "Cluster",
        /// Only nodes with a pod; the client's address stays visible.
        Local = "Local",
    }

    /// Where logical backups go.
    BackupProvider {
        /// Azure blob storage.
        Az = "az",
        /// Google cloud storage.
        Gcs = "gcs",
        /// S3 and what speaks like it.
        S3 = "s3",
    }

    /// How the pooler shares server connections.
    PoolerMode {
        /// One for the life of a client connection.
        Session = "session",
        /// One per transaction.
        Transaction = "transaction",
    }

    /// How strict admission is.
    ValidationProfile {
        /// Nothing but what must never be is refused; the user is told what would be.
        Observe = "observe",
        /// Each rule does what the reference page says.
        Standard = "standard",
        /// What a manifest says and would not get is refused too.
        Strict = "strict",
    }

    /// How far an operator goes.
    OperatorMode {
        /// It plans and does.
        Live = "live",
        /// It plans and reports.
        Observe = "observe",
        /// It reports.
        Paused = "paused",
    }

    /// What becomes of volume claims that a StatefulSet no longer needs.
    ClaimFate {
        /// They stay.
        Retain = "retain",
        /// They go.
        Delete = "delete",
    }
}
