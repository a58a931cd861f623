package check

// Volumes, resources, containers and their variables.

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
)

const dataPath = "/home/postgres/pgdata"

func volume(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := cluster.Spec.Volume.Size
	size, err := resource.ParseQuantity(given)
	if err != nil {
		r.deny(field.Invalid(spec.Child("volume", "size"), given, err.Error()))
	} else if size.Sign() <= 0 {
		r.deny(field.Invalid(spec.Child("volume", "size"), given, "must be positive"))
	}
}

func additionalVolumes(r *Report, cluster *api.Postgresql, spec *field.Path) {
	names, paths := map[string]bool{}, map[string]bool{dataPath: true}
	for index, volume := range cluster.Spec.AdditionalVolumes {
		place := spec.Child("additionalVolumes").Index(index)
		for _, text := range validation.IsDNS1123Label(volume.Name) {
			r.deny(field.Invalid(place.Child("name"), volume.Name, text))
		}
		if names[volume.Name] {
			r.deny(field.Duplicate(place.Child("name"), volume.Name))
		}
		mount := path.Clean(volume.MountPath)
		if !path.IsAbs(mount) {
			r.deny(field.Invalid(place.Child("mountPath"), volume.MountPath, "must be absolute"))
		}
		if paths[mount] {
			r.deny(field.Duplicate(place.Child("mountPath"), volume.MountPath))
		}
		names[volume.Name], paths[mount] = true, true
		if volume.VolumeSource == (corev1.VolumeSource{}) {
			r.deny(field.Required(place.Child("volumeSource"), "must name a source"))
		}
		targets(r, cluster, volume.TargetContainers, place.Child("targetContainers"))
	}
}

func targets(r *Report, cluster *api.Postgresql, targets []string, place *field.Path) {
	for index, target := range targets {
		known := target == "postgres" || target == "all" && len(targets) == 1
		for _, container := range cluster.Spec.Sidecars {
			known = known || container.Name == target
		}
		for _, container := range cluster.Spec.InitContainers {
			known = known || container.Name == target
		}
		if !known {
			r.deny(field.Invalid(place.Index(index), target, "is no container of the pod"))
		}
	}
}

func resources(r *Report, cluster *api.Postgresql, spec *field.Path) {
	both(r, cluster.Spec.Resources, spec.Child("resources"))
	if pooler := cluster.Spec.ConnectionPooler; pooler != nil {
		both(r, pooler.Resources, spec.Child("connectionPooler", "resources"))
	}
}

func both(r *Report, given *api.Resources, place *field.Path) {
	if given == nil {
		return
	}
	requests, limits := given.Requests, given.Limits
	if requests == nil {
		requests = &api.ResourceDescription{}
	}
	if limits == nil {
		limits = &api.ResourceDescription{}
	}
	pairs := []struct {
		name           string
		request, limit *string
	}{
		{"cpu", requests.CPU, limits.CPU},
		{"memory", requests.Memory, limits.Memory},
		{"hugepages-2Mi", requests.HugePages2Mi, limits.HugePages2Mi},
		{"hugepages-1Gi", requests.HugePages1Gi, limits.HugePages1Gi},
	}
	for _, pair := range pairs {
		request := quantity(r, pair.request, place.Child("requests", pair.name))
		limit := quantity(r, pair.limit, place.Child("limits", pair.name))
		if request != nil && limit != nil && limit.Cmp(*request) < 0 {
			r.warn(place.Child("limits", pair.name), "is below the request and is raised to it")
		}
	}
}

func quantity(r *Report, text *string, place *field.Path) *resource.Quantity {
	if text == nil || *text == "" {
		return nil
	}
	parsed, err := resource.ParseQuantity(*text)
	if err != nil {
		r.deny(field.Invalid(place, *text, err.Error()))
		return nil
	}
	if parsed.Sign() < 0 {
		r.deny(field.Invalid(place, *text, "must not be negative"))
	}
	return &parsed
}

func containers(r *Report, cluster *api.Postgresql, spec *field.Path) {
	names := map[string]bool{"postgres": true}
	check := func(list []corev1.Container, place *field.Path) {
		for index := range list {
			container := &list[index]
			name := container.Name
			if name == "" {
				name = fmt.Sprintf("sidecar-%d", index)
			}
			for _, text := range validation.IsDNS1123Label(name) {
				r.deny(field.Invalid(place.Index(index).Child("name"), name, text))
			}
			if names[name] {
				r.deny(field.Duplicate(place.Index(index).Child("name"), name))
			}
			names[name] = true
			if container.Image == "" {
				r.deny(field.Required(place.Index(index).Child("image"), "a container has an image"))
			}
			variables(r, container.Env, place.Index(index).Child("env"))
			mounts(r, container.VolumeMounts, place.Index(index).Child("volumeMounts"))
		}
	}
	check(cluster.Spec.Sidecars, spec.Child("sidecars"))
	check(cluster.Spec.InitContainers, spec.Child("initContainers"))
}

func mounts(r *Report, list []corev1.VolumeMount, place *field.Path) {
	taken := map[string]bool{}
	for index, mount := range list {
		if taken[mount.MountPath] {
			r.deny(field.Duplicate(place.Index(index).Child("mountPath"), mount.MountPath))
		}
		taken[mount.MountPath] = true
	}
}

var reserved = map[string]bool{
	"SCOPE": true, "PGROOT": true, "POD_IP": true, "POD_NAMESPACE": true, "PGUSER_SUPERUSER": true, "KUBERNETES_SCOPE_LABEL": true,
	"KUBERNETES_ROLE_LABEL": true, "PGPASSWORD_SUPERUSER": true, "PGUSER_STANDBY": true, "PGPASSWORD_STANDBY": true,
	"SPILO_CONFIGURATION": true, "PGVERSION": true, "DCS_ENABLE_KUBERNETES_API": true, "CRON_LOG_FACILITY": true,
}

func environment(r *Report, cluster *api.Postgresql, spec *field.Path) {
	variables(r, cluster.Spec.Env, spec.Child("env"))
	for index := range cluster.Spec.Env {
		if reserved[cluster.Spec.Env[index].Name] {
			r.warn(spec.Child("env").Index(index), "is set by the operator")
		}
	}
}

func variables(r *Report, list []corev1.EnvVar, place *field.Path) {
	taken := map[string]bool{}
	for index := range list {
		name := list[index].Name
		if name == "" || strings.ContainsAny(name, "= ") {
			r.deny(field.Invalid(place.Index(index).Child("name"), name, "must be the name of a variable"))
		}
		if taken[name] {
			r.warn(place.Index(index).Child("name"), "is there twice")
		}
		taken[name] = true
	}
}
