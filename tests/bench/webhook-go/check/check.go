// Package check says what may be stored, on the decoded structs: the checks of pgherd that matter for a valid manifest, written as a Go
// operator writes them (field.ErrorList, every problem at once). It is a measuring weight, not a product: where it is more lenient than
// pgherd, it is the faster for it.
package check

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
)

// Report is what a review finds.
type Report struct {
	// Errors block.
	Errors field.ErrorList
	// Warnings tell.
	Warnings []string
}

func (r *Report) warn(path *field.Path, text string) {
	r.Warnings = append(r.Warnings, path.String()+": "+text)
}

func (r *Report) deny(err *field.Error) {
	r.Errors = append(r.Errors, err)
}

// Object checks one manifest by itself.
func Object(cluster *api.Postgresql) *Report {
	report := &Report{}
	spec := field.NewPath("spec")
	checks := []func(*Report, *api.Postgresql, *field.Path){
		identity, instances, version, parameters, windows, volume, additionalVolumes, resources, containers, environment,
		users, rotation, databases, preparedDatabases, patroni, accessLines, services, pooler, origin, certificate, backup, streams,
	}
	for _, check := range checks {
		check(report, cluster, spec)
	}
	return report
}

// Change checks a manifest against the stored one. What the stored one was already guilty of does not block.
func Change(before, after *api.Postgresql) *Report {
	report := Object(after)
	if len(report.Errors) > 0 {
		report.Errors = news(report.Errors, Object(before).Errors)
	}
	transition(report, before, after, field.NewPath("spec"))
	return report
}

func news(found, known field.ErrorList) field.ErrorList {
	old := make(map[string]bool, len(known))
	for _, err := range known {
		old[err.Field] = true
	}
	var left field.ErrorList
	for _, err := range found {
		if !old[err.Field] {
			left = append(left, err)
		}
	}
	return left
}
