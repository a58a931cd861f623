//! The macro that makes a section's typed struct and its rows from one list, and the list of sections.
//!
//! A parameter is added by one entry in one section file; nothing else has to be touched.

/// Defines one section. The name after `as` is the field of `OperatorConfig` and the group in an
/// OperatorConfiguration. An entry is
///
/// ```text
/// /// What it does.
/// name: Type = "default in ConfigMap syntax" => Affects | Affects [row option(..), ..];
/// ```
///
/// Row options are the builder methods of `Param`.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident as $group:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty = $default:literal => $($affects:ident)|+
                    $([ $( $option:ident ( $($argument:expr),* ) ),+ ])? ;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: $type, )+
        }

        // Through the rows' view, which shows no secret.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $( .field(stringify!($field), &$crate::config::value::ParamValue::to_json(&self.$field)) )+
                    .finish()
            }
        }

        impl $name {
            /// Title of the section's part of the reference page.
            pub(crate) const ABOUT: &'static str = concat!($($about),+);

            /// The section's rows, in the order of its fields.
            pub(crate) const PARAMS: &'static [$crate::config::Param] = &[ $(
                $crate::config::Param::new(
                    stringify!($field),
                    stringify!($group),
                    concat!($($doc),+),
                    <$type as $crate::config::value::ParamValue>::KIND,
                    $default,
                    &[$($crate::config::Affects::$affects),+],
                    $crate::config::param::Access {
                        empty_is_value: <$type as $crate::config::value::ParamValue>::EMPTY_IS_VALUE,
                        read_text: |config, text, scope| {
                            config.$group.$field = $crate::config::value::ParamValue::from_text(text, scope)?;
                            Ok(())
                        },
                        read_json: |config, value, scope| {
                            config.$group.$field = $crate::config::value::ParamValue::from_json(value, scope)?;
                            Ok(())
                        },
                        show: |config| $crate::config::value::ParamValue::to_json(&config.$group.$field),
                        differs: |one, other| one.$group.$field != other.$group.$field,
                    },
                ) $($( .$option($($argument),*) )+)?,
            )+ ];

            /// Every field unset: what the defaults are then written into.
            pub(crate) fn unset() -> Self {
                Self { $( $field: $crate::config::value::ParamValue::unset(), )+ }
            }
        }
    };
}

/// Lists the sections once: modules, the whole configuration's struct, and the table of all rows.
macro_rules! sections {
    ($( $module:ident :: $name:ident ),+ $(,)?) => {
        $(
            // Their documentation is also the users': it stays readable without code marks.
            #[allow(clippy::doc_markdown)]
            mod $module;
            pub use $module::$name;
        )+

        /// The whole operator configuration: one field per section, one field per parameter in it, named as in
        /// the ConfigMap and the OperatorConfiguration.
        ///
        /// `Debug` prints no secret.
        #[derive(Clone, Debug, PartialEq)]
        pub struct OperatorConfig {
            $( #[doc = concat!("See [`", stringify!($name), "`].")] pub $module: $name, )+
        }

        impl OperatorConfig {
            pub(super) fn unset() -> Self {
                Self { $( $module: $name::unset(), )+ }
            }
        }

        /// Every section: its title and its rows, in the order of the reference page.
        pub(super) const SECTIONS: &[Section] = &[ $(
            Section { group: stringify!($module), about: $name::ABOUT, params: $name::PARAMS },
        )+ ];
    };
}

/// One section of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Field of [`OperatorConfig`]; except for `general` also the group under `configuration`.
    pub group: &'static str,
    /// What the section is about.
    pub about: &'static str,
    /// Its rows.
    pub params: &'static [super::Param],
}

sections!(
    general::General,
    users::Users,
    major_version_upgrade::MajorVersionUpgrade,
    kubernetes::Kubernetes,
    postgres_pod_resources::PostgresPodResources,
    timeouts::Timeouts,
    load_balancer::LoadBalancer,
    aws_or_gcp::AwsOrGcp,
    logical_backup::LogicalBackup,
    debug::Debugging,
    teams_api::TeamsApi,
    logging_rest_api::LoggingRestApi,
    scalyr::Scalyr,
    connection_pooler::ConnectionPooler,
    patroni::Patroni,
    admission::Admission,
    fleet::Fleet,
    provisioning::Provisioning,
);
