package check

// Name, team, version, parameters, windows and what may not change.

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
)

const longestName = 58

var versions = map[string]bool{"13": true, "14": true, "15": true, "16": true, "17": true, "18": true}

func identity(r *Report, cluster *api.Postgresql, spec *field.Path) {
	path := field.NewPath("metadata", "name")
	for _, text := range validation.IsDNS1035Label(cluster.Name) {
		r.deny(field.Invalid(path, cluster.Name, text))
	}
	if len(cluster.Name) > longestName {
		r.deny(field.TooLong(path, cluster.Name, longestName))
	}
	if team := cluster.Spec.TeamID; team != "" {
		for _, text := range validation.IsValidLabelValue(team) {
			r.deny(field.Invalid(spec.Child("teamId"), team, text))
		}
	}
}

func instances(r *Report, cluster *api.Postgresql, spec *field.Path) {
	if number := cluster.Spec.NumberOfInstances; number != nil && *number < 0 {
		r.deny(field.Invalid(spec.Child("numberOfInstances"), *number, "must not be negative"))
	}
}

func version(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := cluster.Spec.Postgresql.Version
	path := spec.Child("postgresql", "version")
	if _, err := strconv.ParseFloat(given, 64); given != "" && err != nil {
		r.deny(field.Invalid(path, given, "is not a major version"))
		return
	}
	if given != "" && !versions[given] {
		r.deny(field.NotSupported(path, given, []string{"13", "14", "15", "16", "17", "18"}))
	}
}

// kinds of parameters: what their values must parse as.
var kinds = map[string]string{
	"max_connections": "integer", "shared_buffers": "bytes", "work_mem": "bytes", "maintenance_work_mem": "bytes",
	"effective_cache_size": "bytes", "wal_level": "text", "max_wal_senders": "integer", "max_replication_slots": "integer",
	"log_statement": "text", "log_min_duration_statement": "time", "checkpoint_timeout": "time", "max_wal_size": "bytes",
	"min_wal_size": "bytes", "random_page_cost": "real", "effective_io_concurrency": "integer", "max_worker_processes": "integer",
	"max_parallel_workers": "integer", "autovacuum": "boolean", "autovacuum_naptime": "time", "hot_standby": "boolean",
	"idle_in_transaction_session_timeout": "time", "statement_timeout": "time", "lock_timeout": "time", "log_connections": "boolean",
	"log_lock_waits": "boolean", "shared_preload_libraries": "text", "checkpoint_completion_target": "real", "jit": "boolean",
	"track_io_timing": "boolean", "default_statistics_target": "integer", "log_autovacuum_min_duration": "time",
	"autovacuum_max_workers": "integer", "autovacuum_vacuum_cost_limit": "integer", "wal_compression": "text",
}

var (
	amount  = regexp.MustCompile(`^-?\d+(B|kB|MB|GB|TB)?$`)
	period  = regexp.MustCompile(`^-?\d+(us|ms|s|min|h|d)?$`)
	boolean = map[string]bool{"on": true, "off": true, "true": true, "false": true, "yes": true, "no": true, "1": true, "0": true}
)

func parameters(r *Report, cluster *api.Postgresql, spec *field.Path) {
	for name, value := range cluster.Spec.Postgresql.Parameters {
		if strings.Contains(name, ".") {
			continue
		}
		path := spec.Child("postgresql", "parameters").Key(name)
		kind, known := kinds[name]
		if !known {
			r.warn(path, "is not a parameter that is known")
			continue
		}
		if !fits(kind, value) {
			r.deny(field.Invalid(path, value, "is not of type "+kind))
		}
	}
}

func fits(kind, value string) bool {
	switch kind {
	case "integer":
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case "real":
		_, err := strconv.ParseFloat(value, 64)
		return err == nil
	case "boolean":
		return boolean[strings.ToLower(value)]
	case "bytes":
		return amount.MatchString(value)
	case "time":
		return period.MatchString(value)
	}
	return true
}

var days = map[string]bool{"Mon": true, "Tue": true, "Wed": true, "Thu": true, "Fri": true, "Sat": true, "Sun": true, "Everyday": true}

func windows(r *Report, cluster *api.Postgresql, spec *field.Path) {
	for index, window := range cluster.Spec.MaintenanceWindows {
		if err := parseWindow(window); err != nil {
			r.deny(field.Invalid(spec.Child("maintenanceWindows").Index(index), window, err.Error()))
		}
	}
}

func parseWindow(window string) error {
	from, to, found := strings.Cut(window, "-")
	if !found {
		return fmt.Errorf("must be Day:HH:MM-HH:MM or HH:MM-HH:MM")
	}
	if parts := strings.SplitN(from, ":", 2); len(parts) == 2 && days[parts[0]] {
		from = parts[1]
	}
	begin, err := time.Parse("15:04", from)
	if err != nil {
		return err
	}
	end, err := time.Parse("15:04", to)
	if err != nil {
		return err
	}
	if end.Before(begin) {
		return fmt.Errorf("the end is before the start")
	}
	return nil
}

// transition checks what may not change, or should not unnoticed.
func transition(r *Report, before, after *api.Postgresql, spec *field.Path) {
	was, is := &before.Spec, &after.Spec
	if was.TeamID != is.TeamID {
		r.warn(spec.Child("teamId"), "changes: objects are relabelled, pods roll")
	}
	old, oldErr := strconv.ParseFloat(was.Postgresql.Version, 64)
	now, err := strconv.ParseFloat(is.Postgresql.Version, 64)
	if oldErr == nil && err == nil && now < old {
		r.deny(field.Forbidden(spec.Child("postgresql", "version"), "the version never falls"))
	}
	oldSize, oldErr := resource.ParseQuantity(was.Volume.Size)
	size, err := resource.ParseQuantity(is.Volume.Size)
	if oldErr == nil && err == nil && size.Cmp(oldSize) < 0 {
		r.deny(field.Forbidden(spec.Child("volume", "size"), "the volume never shrinks"))
	}
	if was.Volume.StorageClass != is.Volume.StorageClass {
		r.warn(spec.Child("volume", "storageClass"), "changes nothing in volumes that exist")
	}
	if was.Volume.SubPath != is.Volume.SubPath {
		r.deny(field.Forbidden(spec.Child("volume", "subPath"), "the data would not be found"))
	}
	if was.Standby == nil && is.Standby != nil {
		r.deny(field.Forbidden(spec.Child("standby"), "is added to a cluster with data of its own"))
	}
	effects(r, was, is, spec)
}

// effects says what an edit will do, from the fields that differ.
func effects(r *Report, was, is *api.PostgresqlSpec, spec *field.Path) {
	for name, value := range is.Postgresql.Parameters {
		if was.Postgresql.Parameters[name] != value {
			r.warn(spec.Child("postgresql", "parameters").Key(name), "changes")
		}
	}
	for name := range is.Users {
		if _, known := was.Users[name]; !known {
			r.warn(spec.Child("users").Key(name), "is made")
		}
	}
	for name := range is.Databases {
		if _, known := was.Databases[name]; !known {
			r.warn(spec.Child("databases").Key(name), "is made")
		}
	}
	if was.DockerImage != is.DockerImage {
		r.warn(spec.Child("dockerImage"), "changes: pods roll")
	}
}
