package check

// Users, databases and their roles.

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/pgherd/pgherd/tests/bench/webhook-go/api"
)

const longestRole = 63

var (
	userName     = regexp.MustCompile(`^[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$`)
	databaseName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

var flags = map[string]bool{
	"superuser": true, "inherit": true, "login": true, "nologin": true, "createrole": true, "createdb": true, "replication": true,
	"bypassrls": true,
}

func users(r *Report, cluster *api.Postgresql, spec *field.Path) {
	secrets := make(map[string]string, len(cluster.Spec.Users))
	for name, given := range cluster.Spec.Users {
		place := spec.Child("users").Key(name)
		if !userName.MatchString(name) {
			r.deny(field.Invalid(place, name, "is not a role's name here"))
		}
		if len(name) > longestRole {
			r.deny(field.TooLong(place, name, longestRole))
		}
		for _, flag := range given {
			if !flags[strings.ToLower(flag)] {
				r.deny(field.Invalid(place, flag, "is not a flag"))
			}
		}
		if slices.Contains(given, "login") && slices.Contains(given, "nologin") {
			r.deny(field.Invalid(place, given, "has conflicting flags"))
		}
		if name == "postgres" || name == "standby" || strings.HasPrefix(name, "pg_") {
			r.deny(field.Invalid(place, name, "is taken"))
		}
		secret := strings.ReplaceAll(name, "_", "-") + "." + cluster.Name + ".credentials.postgresql.acid.zalan.do"
		if other, taken := secrets[secret]; taken {
			r.deny(field.Invalid(place, name, "would share a secret with "+other))
		}
		secrets[secret] = name
	}
}

func rotation(r *Report, cluster *api.Postgresql, spec *field.Path) {
	seen := map[string]bool{}
	lists := []struct {
		field string
		names []string
	}{
		{"usersWithSecretRotation", cluster.Spec.UsersWithSecretRotation},
		{"usersWithInPlaceSecretRotation", cluster.Spec.UsersWithInPlaceSecretRotation},
		{"usersIgnoringSecretRotation", cluster.Spec.UsersIgnoringSecretRotation},
	}
	for _, list := range lists {
		for index, name := range list.names {
			place := spec.Child(list.field).Index(index)
			if _, known := cluster.Spec.Users[name]; !known {
				r.warn(place, "is no user of this manifest")
			}
			if seen[name] {
				r.warn(place, "is in two lists")
			}
			seen[name] = true
		}
	}
}

func databases(r *Report, cluster *api.Postgresql, spec *field.Path) {
	for name, owner := range cluster.Spec.Databases {
		place := spec.Child("databases").Key(name)
		if !databaseName.MatchString(name) {
			r.deny(field.Invalid(place, name, "may hold letters, digits and underscores only"))
		}
		if _, known := cluster.Spec.Users[owner]; !known && !isPreparedRole(cluster, owner) {
			r.deny(field.Invalid(place, owner, "is no role; add it to spec.users"))
		}
		if _, both := cluster.Spec.PreparedDatabases[name]; both {
			r.deny(field.Invalid(place, name, "is in spec.preparedDatabases too"))
		}
	}
}

func isPreparedRole(cluster *api.Postgresql, owner string) bool {
	for name := range cluster.Spec.PreparedDatabases {
		if strings.HasPrefix(owner, name+"_") {
			return true
		}
	}
	return false
}

func preparedDatabases(r *Report, cluster *api.Postgresql, spec *field.Path) {
	for name, database := range cluster.Spec.PreparedDatabases {
		place := spec.Child("preparedDatabases").Key(name)
		if !databaseName.MatchString(name) {
			r.deny(field.Invalid(place, name, "may hold letters, digits and underscores only"))
		}
		longest := len(name) + len("_owner_user")
		for schema := range database.PreparedSchemas {
			if !databaseName.MatchString(schema) {
				r.deny(field.Invalid(place.Child("schemas").Key(schema), schema, "may hold letters, digits and underscores only"))
			}
			longest = max(longest, len(name)+1+len(schema)+len("_writer_user"))
		}
		if longest > longestRole {
			r.deny(field.Invalid(place, name, "makes a role that is too long"))
		}
	}
}
