//! What makes a type of ours, decoded no further than we read it, a kind that can be watched. Must not: which fields that are.

/// Implements [`kube::Resource`] for a struct with a field `metadata`, as a kind of Kubernetes' core group.
macro_rules! core_kind {
    ($wire:ty, $kind:literal, $plural:literal) => {
        impl ::kube::Resource for $wire {
            type DynamicType = ();
            type Scope = ::kube::core::DynamicResourceScope;

            fn kind((): &()) -> ::std::borrow::Cow<'_, str> {
                $kind.into()
            }

            fn group((): &()) -> ::std::borrow::Cow<'_, str> {
                "".into()
            }

            fn version((): &()) -> ::std::borrow::Cow<'_, str> {
                "v1".into()
            }

            fn plural((): &()) -> ::std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

pub(super) use core_kind;
