package check

// Patroni, access, services, pooler, origin, certificate, backup and streams.

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
)

func patroni(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := cluster.Spec.Patroni
	if given == nil {
		return
	}
	place := spec.Child("patroni")
	or := func(value, otherwise uint32) uint64 {
		if value == 0 {
			return uint64(otherwise)
		}
		return uint64(value)
	}
	if least := or(given.LoopWait, 10) + 2*or(given.RetryTimeout, 10); or(given.TTL, 30) < least {
		r.deny(field.Invalid(place.Child("ttl"), given.TTL, fmt.Sprintf("must be at least %d", least)))
	}
	number := int32(2)
	if cluster.Spec.NumberOfInstances != nil {
		number = *cluster.Spec.NumberOfInstances
	}
	if given.SynchronousMode && given.SynchronousModeStrict && number == 1 {
		r.deny(field.Invalid(place.Child("synchronous_mode_strict"), true, "needs two instances"))
	}
	if given.SynchronousMode && int64(given.SynchronousNodeCount) > int64(number)-1 {
		r.warn(place.Child("synchronous_node_count"), "is more than there are replicas")
	}
	for name := range given.Slots {
		if !slotName.MatchString(name) {
			r.deny(field.Invalid(place.Child("slots").Key(name), name, "may hold lower-case letters, digits and underscores only"))
		}
	}
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

var methods = map[string]bool{
	"trust": true, "reject": true, "scram-sha-256": true, "md5": true, "password": true, "gss": true, "sspi": true, "ident": true,
	"peer": true, "ldap": true, "radius": true, "cert": true, "pam": true, "bsd": true,
}

func accessLines(r *Report, cluster *api.Postgresql, spec *field.Path) {
	if cluster.Spec.Patroni == nil || len(cluster.Spec.Patroni.PgHba) == 0 {
		return
	}
	place := spec.Child("patroni", "pg_hba")
	var forPatroni, forOperator, forReplicas bool
	for index, line := range cluster.Spec.Patroni.PgHba {
		text, _, _ := strings.Cut(line, "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if err := accessLine(words); err != nil {
			r.deny(field.Invalid(place.Index(index), line, err.Error()))
			continue
		}
		forPatroni = forPatroni || words[0] == "local" && lets(words, "postgres", "postgres")
		forOperator = forOperator || words[0] != "local" && lets(words, "postgres", "postgres")
		forReplicas = forReplicas || words[0] != "local" && lets(words, "replication", "standby")
	}
	if !forPatroni || !forOperator || !forReplicas {
		r.warn(place, "locks out Patroni, the operator or the replicas")
	}
}

func accessLine(words []string) error {
	rest := words[1:]
	switch words[0] {
	case "local":
		if len(rest) < 3 {
			return fmt.Errorf("wants type, database, user and method")
		}
		rest = rest[2:]
	case "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc":
		if len(rest) < 4 {
			return fmt.Errorf("wants type, database, user, address and method")
		}
		if address := rest[2]; strings.Contains(address, "/") {
			if _, err := netip.ParsePrefix(address); err != nil {
				return err
			}
		}
		rest = rest[3:]
	default:
		return fmt.Errorf("%q is no type of connection", words[0])
	}
	if !methods[rest[0]] {
		return fmt.Errorf("%q is no method", rest[0])
	}
	return nil
}

func lets(words []string, database, user string) bool {
	in := func(list, wanted string, all bool) bool {
		for name := range strings.SplitSeq(list, ",") {
			if name == wanted || all && name == "all" {
				return true
			}
		}
		return false
	}
	return in(words[1], database, database != "replication") && in(words[2], user, true) && words[len(words)-1] != "reject"
}

func services(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := &cluster.Spec
	ports := []struct {
		field   string
		port    int32
		switch_ *bool
	}{
		{"masterNodePort", given.MasterNodePort, given.EnableMasterNodePort},
		{"replicaNodePort", given.ReplicaNodePort, given.EnableReplicaNodePort},
		{"masterPoolerNodePort", given.MasterPoolerNodePort, given.EnableMasterPoolerNodePort},
		{"replicaPoolerNodePort", given.ReplicaPoolerNodePort, given.EnableReplicaPoolerNodePort},
	}
	taken := map[int32]bool{}
	for _, each := range ports {
		if each.port == 0 {
			continue
		}
		if each.switch_ == nil || !*each.switch_ {
			r.warn(spec.Child(each.field), "is ignored without its switch")
			continue
		}
		if each.port < 1 || each.port > 65535 {
			r.deny(field.Invalid(spec.Child(each.field), each.port, "is no port"))
		}
		if taken[each.port] {
			r.deny(field.Duplicate(spec.Child(each.field), each.port))
		}
		taken[each.port] = true
	}
	for index, source := range given.AllowedSourceRanges {
		prefix, err := netip.ParsePrefix(source)
		if err != nil {
			r.deny(field.Invalid(spec.Child("allowedSourceRanges").Index(index), source, err.Error()))
		} else if prefix != prefix.Masked() {
			r.warn(spec.Child("allowedSourceRanges").Index(index), "has host bits")
		}
	}
	if on(given.EnableMasterLoadBalancer) && len(given.AllowedSourceRanges) == 0 {
		r.warn(spec.Child("allowedSourceRanges"), "is empty: nobody can reach the load balancer")
	}
}

func on(flag *bool) bool { return flag != nil && *flag }

func pooler(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := cluster.Spec.ConnectionPooler
	if given == nil {
		return
	}
	place := spec.Child("connectionPooler")
	if given.Mode != "" && given.Mode != "session" && given.Mode != "transaction" {
		r.deny(field.NotSupported(place.Child("mode"), given.Mode, []string{"session", "transaction"}))
	}
	if given.NumberOfInstances != nil && *given.NumberOfInstances < 1 {
		r.deny(field.Invalid(place.Child("numberOfInstances"), *given.NumberOfInstances, "must be at least 1"))
	}
	if given.User != "" && !userName.MatchString(given.User) {
		r.deny(field.Invalid(place.Child("user"), given.User, "is not a role's name"))
	}
}

func origin(r *Report, cluster *api.Postgresql, spec *field.Path) {
	clone, standby := cluster.Spec.Clone, cluster.Spec.Standby
	if clone != nil && standby != nil {
		r.deny(field.Forbidden(spec.Child("standby"), "a cluster is a clone or a standby, not both"))
	}
	if clone != nil {
		for _, text := range validation.IsDNS1035Label(clone.ClusterName) {
			r.deny(field.Invalid(spec.Child("clone", "cluster"), clone.ClusterName, text))
		}
		if clone.EndTimestamp != "" {
			if _, err := time.Parse(time.RFC3339, clone.EndTimestamp); err != nil {
				r.deny(field.Invalid(spec.Child("clone", "timestamp"), clone.EndTimestamp, err.Error()))
			}
		}
	}
	if standby != nil && standby.S3WalPath == "" && standby.GSWalPath == "" && standby.StandbyHost == "" {
		r.deny(field.Required(spec.Child("standby"), "names nothing to follow"))
	}
}

func certificate(r *Report, cluster *api.Postgresql, spec *field.Path) {
	given := cluster.Spec.TLS
	if given == nil || given.SecretName == "" {
		return
	}
	for _, text := range validation.IsDNS1123Subdomain(given.SecretName) {
		r.deny(field.Invalid(spec.Child("tls", "secretName"), given.SecretName, text))
	}
	if cluster.Spec.SpiloFSGroup == nil {
		r.warn(spec.Child("tls", "secretName"), "Postgres may not be able to read the key")
	}
}

var cronRanges = [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}

func backup(r *Report, cluster *api.Postgresql, spec *field.Path) {
	schedule := cluster.Spec.LogicalBackupSchedule
	if schedule == "" {
		return
	}
	fields := strings.Fields(schedule)
	if len(fields) != len(cronRanges) {
		r.deny(field.Invalid(spec.Child("logicalBackupSchedule"), schedule, "must have five fields"))
		return
	}
	for index, each := range fields {
		for part := range strings.SplitSeq(each, ",") {
			if !cronPart(part, cronRanges[index]) {
				r.deny(field.Invalid(spec.Child("logicalBackupSchedule"), schedule, each+" is not allowed"))
			}
		}
	}
}

func cronPart(part string, limits [2]int) bool {
	part, step, stepped := strings.Cut(part, "/")
	if stepped {
		if number, err := strconv.Atoi(step); err != nil || number < 1 {
			return false
		}
	}
	if part == "*" {
		return true
	}
	for bound := range strings.SplitSeq(part, "-") {
		if number, err := strconv.Atoi(bound); err != nil || number < limits[0] || number > limits[1] {
			return false
		}
	}
	return true
}

func streams(r *Report, cluster *api.Postgresql, spec *field.Path) {
	for index, stream := range cluster.Spec.Streams {
		place := spec.Child("streams").Index(index)
		if stream.ApplicationID == "" {
			r.deny(field.Required(place.Child("applicationId"), "must be given"))
		}
		_, plain := cluster.Spec.Databases[stream.Database]
		if _, prepared := cluster.Spec.PreparedDatabases[stream.Database]; !plain && !prepared {
			r.deny(field.Invalid(place.Child("database"), stream.Database, "is no database of this manifest"))
		}
		for table := range stream.Tables {
			if strings.Count(table, ".") != 1 {
				r.deny(field.Invalid(place.Child("tables").Key(table), table, "must be schema.table"))
			}
		}
		quantity(r, stream.CPU, place.Child("cpu"))
		quantity(r, stream.Memory, place.Child("memory"))
	}
}
