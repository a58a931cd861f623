// The weight on the other side of the scale: a webhook for the postgresql kind as a Go operator has it, on controller-runtime's own server,
// with typed decoding and a comparable set of checks. Nothing of pgherd runs it but `cargo bench-webhook`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
	"github.com/pgherd/pgherd/tests/bench/webhook-go/check"
)

type validator struct{}

func (validator) ValidateCreate(_ context.Context, cluster *api.Postgresql) (admission.Warnings, error) {
	return answer(cluster, check.Object(cluster))
}

func (validator) ValidateUpdate(_ context.Context, before, after *api.Postgresql) (admission.Warnings, error) {
	return answer(after, check.Change(before, after))
}

func (validator) ValidateDelete(context.Context, *api.Postgresql) (admission.Warnings, error) {
	return nil, nil
}

func answer(cluster *api.Postgresql, report *check.Report) (admission.Warnings, error) {
	if len(report.Errors) == 0 {
		return report.Warnings, nil
	}
	kind := schema.GroupKind{Group: api.GroupVersion.Group, Kind: "postgresql"}
	return report.Warnings, apierrors.NewInvalid(kind, cluster.Name, report.Errors)
}

type defaulter struct{}

// Default fills in what pgherd decides once.
func (defaulter) Default(_ context.Context, cluster *api.Postgresql) error {
	spec := &cluster.Spec
	if spec.TeamID == "" {
		spec.TeamID, _, _ = strings.Cut(cluster.Name, "-")
	}
	if spec.NumberOfInstances == nil {
		number := int32(2)
		spec.NumberOfInstances = &number
	}
	if spec.Postgresql.Version == "" {
		spec.Postgresql.Version = "18"
	}
	return nil
}

func main() {
	host := flag.String("host", "127.0.0.1", "address to listen on")
	port := flag.Int("port", 9443, "port to listen on")
	certificates := flag.String("cert-dir", "", "folder with tls.crt and tls.key")
	flag.Parse()
	if err := serve(*host, *port, *certificates); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func serve(host string, port int, certificates string) error {
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	scheme := runtime.NewScheme()
	api.AddToScheme(scheme)
	server := webhook.NewServer(webhook.Options{Host: host, Port: port, CertDir: certificates})
	server.Register("/validate/postgresql", admission.WithValidator[*api.Postgresql](scheme, validator{}))
	server.Register("/mutate/postgresql", admission.WithDefaulter[*api.Postgresql](scheme, defaulter{}))
	return server.Start(ctx)
}
