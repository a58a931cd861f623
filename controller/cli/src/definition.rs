//! Whether the API server stores what pgherd writes of a cluster. Lives here: reading the definition of clusters, and the words about it. Must not:
//! compare definitions; that is `model::crd`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt};
use pgherd_controller::error::said;
use pgherd_model::config::OperatorConfig;
use pgherd_model::crd::{self, Standing};

use crate::error::CliError;
use crate::online::Server;

/// What comes of the definition that is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Definition {
    /// Everything is stored.
    Fits,
    /// Said, and no reason against anything.
    Remark(String),
    /// Clusters must not be taken over like that.
    Refused(String),
}

impl Definition {
    pub(crate) async fn found(server: &Server, config: &OperatorConfig) -> Result<Self, CliError> {
        let Some(wanted) = crd::all()
            .into_iter()
            .find(|crd| crd.spec.names.kind == "postgresql")
        else {
            return Ok(Self::Fits);
        };
        let name = wanted.name_any();
        let api: Api<CustomResourceDefinition> = Api::all(server.client.clone());
        match api.get_opt(&name).await {
            Ok(present) => Ok(Self::of(present.as_ref(), &wanted, config)),
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(Self::Remark(format!(
                "you may not read the CRD {name}: whether it stores the status that pgherd writes is not known"
            ))),
            Err(error) => Err(CliError::Kubernetes {
                what: format!("read the CRD {name}"),
                said: said(&error),
            }),
        }
    }

    fn of(
        present: Option<&CustomResourceDefinition>,
        wanted: &CustomResourceDefinition,
        config: &OperatorConfig,
    ) -> Self {
        let name = wanted.name_any();
        let standing = present.map_or(Standing::Other, |present| Standing::of(present, wanted));
        match standing {
            Standing::Same => Self::Fits,
            Standing::Newer(version) => {
                Self::Remark(format!("the CRD {name} is of pgherd {version}, and stays"))
            }
            Standing::Other if config.general.enable_crd_registration => Self::Remark(format!(
                "the CRD {name} is of another version: the controller puts its own in place when it starts \
                 (enable_crd_registration)"
            )),
            Standing::Other => Self::Refused(format!(
                "the CRD {name} is of another version, and enable_crd_registration is false: most of a status would be \
                 lost; apply deploy/kustomize/crds first"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use pgherd_model::config::Form;

    use super::*;

    fn wanted() -> CustomResourceDefinition {
        let mut all = crd::all().into_iter();
        all.find(|crd| crd.spec.names.kind == "postgresql").unwrap()
    }

    fn config(registers: bool) -> OperatorConfig {
        let mut config = OperatorConfig::default_for(Form::ConfigMap);
        config.general.enable_crd_registration = registers;
        config
    }

    #[test]
    fn another_definition_is_refused_unless_the_controller_mends_it() {
        let wanted = wanted();
        assert_eq!(
            Definition::of(Some(&wanted), &wanted, &config(false)),
            Definition::Fits
        );
        let mut foreign = wanted.clone();
        foreign.metadata.annotations = None;
        foreign.spec.versions[0].schema = None;
        for present in [None, Some(&foreign)] {
            let found = Definition::of(present, &wanted, &config(false));
            let Definition::Refused(why) = &found else {
                panic!("{found:?}")
            };
            assert!(why.contains("deploy/kustomize/crds"), "{why}");
            assert!(matches!(
                Definition::of(present, &wanted, &config(true)),
                Definition::Remark(_)
            ));
        }
    }
}
