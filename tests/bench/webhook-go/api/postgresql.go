// Package api has the postgresql kind as Go structs, as a Go operator would declare it: every field that the checks look at, with the
// types of core/v1 where the manifest uses them. No checks here.
//
// +kubebuilder:object:generate=true
package api

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is where the kind lives.
var GroupVersion = schema.GroupVersion{Group: "acid.zalan.do", Version: "v1"}

// AddToScheme registers the kind.
func AddToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypeWithName(GroupVersion.WithKind("postgresql"), &Postgresql{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
}

// Postgresql is a database cluster.
//
// +kubebuilder:object:root=true
type Postgresql struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PostgresqlSpec   `json:"spec"`
	Status PostgresqlStatus `json:"status,omitempty"`
}

// PostgresqlStatus is what the operator says.
type PostgresqlStatus struct {
	PostgresClusterStatus string `json:"PostgresClusterStatus,omitempty"`
}

// PostgresqlSpec is what a cluster shall be.
type PostgresqlSpec struct {
	TeamID                    string                            `json:"teamId,omitempty"`
	NumberOfInstances         *int32                            `json:"numberOfInstances,omitempty"`
	DockerImage               string                            `json:"dockerImage,omitempty"`
	SchedulerName             *string                           `json:"schedulerName,omitempty"`
	SpiloRunAsUser            *int64                            `json:"spiloRunAsUser,omitempty"`
	SpiloRunAsGroup           *int64                            `json:"spiloRunAsGroup,omitempty"`
	SpiloFSGroup              *int64                            `json:"spiloFSGroup,omitempty"`
	PodPriorityClassName      string                            `json:"podPriorityClassName,omitempty"`
	NodeAffinity              *corev1.NodeAffinity              `json:"nodeAffinity,omitempty"`
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints,omitempty"`
	Tolerations               []corev1.Toleration               `json:"tolerations,omitempty"`
	LivenessProbe             *corev1.Probe                     `json:"livenessProbe,omitempty"`
	EnableShmVolume           *bool                             `json:"enableShmVolume,omitempty"`
	Env                       []corev1.EnvVar                   `json:"env,omitempty"`
	EnvFrom                   []corev1.EnvFromSource            `json:"envFrom,omitempty"`
	PodAnnotations            map[string]string                 `json:"podAnnotations,omitempty"`
	Resources                 *Resources                        `json:"resources,omitempty"`
	Sidecars                  []corev1.Container                `json:"sidecars,omitempty"`
	InitContainers            []corev1.Container                `json:"initContainers,omitempty"`

	EnableMasterLoadBalancer        *bool             `json:"enableMasterLoadBalancer,omitempty"`
	EnableReplicaLoadBalancer       *bool             `json:"enableReplicaLoadBalancer,omitempty"`
	EnableMasterPoolerLoadBalancer  *bool             `json:"enableMasterPoolerLoadBalancer,omitempty"`
	EnableReplicaPoolerLoadBalancer *bool             `json:"enableReplicaPoolerLoadBalancer,omitempty"`
	EnableMasterNodePort            *bool             `json:"enableMasterNodePort,omitempty"`
	EnableReplicaNodePort           *bool             `json:"enableReplicaNodePort,omitempty"`
	EnableMasterPoolerNodePort      *bool             `json:"enableMasterPoolerNodePort,omitempty"`
	EnableReplicaPoolerNodePort     *bool             `json:"enableReplicaPoolerNodePort,omitempty"`
	MasterNodePort                  int32             `json:"masterNodePort,omitempty"`
	ReplicaNodePort                 int32             `json:"replicaNodePort,omitempty"`
	MasterPoolerNodePort            int32             `json:"masterPoolerNodePort,omitempty"`
	ReplicaPoolerNodePort           int32             `json:"replicaPoolerNodePort,omitempty"`
	AllowedSourceRanges             []string          `json:"allowedSourceRanges,omitempty"`
	ServiceAnnotations              map[string]string `json:"serviceAnnotations,omitempty"`
	MasterServiceAnnotations        map[string]string `json:"masterServiceAnnotations,omitempty"`
	ReplicaServiceAnnotations       map[string]string `json:"replicaServiceAnnotations,omitempty"`

	Users                          map[string][]string         `json:"users,omitempty"`
	UsersWithSecretRotation        []string                    `json:"usersWithSecretRotation,omitempty"`
	UsersWithInPlaceSecretRotation []string                    `json:"usersWithInPlaceSecretRotation,omitempty"`
	UsersIgnoringSecretRotation    []string                    `json:"usersIgnoringSecretRotation,omitempty"`
	Databases                      map[string]string           `json:"databases,omitempty"`
	PreparedDatabases              map[string]PreparedDatabase `json:"preparedDatabases,omitempty"`

	Postgresql PostgresqlParam `json:"postgresql"`
	Patroni    *Patroni        `json:"patroni,omitempty"`

	Volume            Volume             `json:"volume"`
	AdditionalVolumes []AdditionalVolume `json:"additionalVolumes,omitempty"`

	Clone   *CloneDescription   `json:"clone,omitempty"`
	Standby *StandbyDescription `json:"standby,omitempty"`
	TLS     *TLSDescription     `json:"tls,omitempty"`

	EnableLogicalBackup           bool              `json:"enableLogicalBackup,omitempty"`
	LogicalBackupSchedule         string            `json:"logicalBackupSchedule,omitempty"`
	LogicalBackupRetention        string            `json:"logicalBackupRetention,omitempty"`
	EnableConnectionPooler        *bool             `json:"enableConnectionPooler,omitempty"`
	EnableReplicaConnectionPooler *bool             `json:"enableReplicaConnectionPooler,omitempty"`
	ConnectionPooler              *ConnectionPooler `json:"connectionPooler,omitempty"`
	Streams                       []Stream          `json:"streams,omitempty"`
	MaintenanceWindows            []string          `json:"maintenanceWindows,omitempty"`
}

// Resources are requests and limits.
type Resources struct {
	Requests *ResourceDescription `json:"requests,omitempty"`
	Limits   *ResourceDescription `json:"limits,omitempty"`
}

// ResourceDescription is one side of Resources.
type ResourceDescription struct {
	CPU          *string `json:"cpu,omitempty"`
	Memory       *string `json:"memory,omitempty"`
	HugePages2Mi *string `json:"hugepages-2Mi,omitempty"`
	HugePages1Gi *string `json:"hugepages-1Gi,omitempty"`
}

// PostgresqlParam is the server's version and parameters.
type PostgresqlParam struct {
	Version    string            `json:"version,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Patroni has Patroni's settings.
type Patroni struct {
	InitDB                map[string]string            `json:"initdb,omitempty"`
	PgHba                 []string                     `json:"pg_hba,omitempty"`
	TTL                   uint32                       `json:"ttl,omitempty"`
	LoopWait              uint32                       `json:"loop_wait,omitempty"`
	RetryTimeout          uint32                       `json:"retry_timeout,omitempty"`
	MaximumLagOnFailover  int64                        `json:"maximum_lag_on_failover,omitempty"`
	Slots                 map[string]map[string]string `json:"slots,omitempty"`
	SynchronousMode       bool                         `json:"synchronous_mode,omitempty"`
	SynchronousModeStrict bool                         `json:"synchronous_mode_strict,omitempty"`
	SynchronousNodeCount  uint32                       `json:"synchronous_node_count,omitempty"`
	FailsafeMode          *bool                        `json:"failsafe_mode,omitempty"`
}

// PreparedDatabase is a database with owner, writer and reader roles.
type PreparedDatabase struct {
	PreparedSchemas map[string]PreparedSchema `json:"schemas,omitempty"`
	DefaultUsers    bool                      `json:"defaultUsers,omitempty"`
	Extensions      map[string]string         `json:"extensions,omitempty"`
	SecretNamespace string                    `json:"secretNamespace,omitempty"`
}

// PreparedSchema is a schema of a prepared database.
type PreparedSchema struct {
	DefaultRoles *bool `json:"defaultRoles,omitempty"`
	DefaultUsers bool  `json:"defaultUsers,omitempty"`
}

// Volume is the data volume.
type Volume struct {
	Size          string                `json:"size"`
	StorageClass  string                `json:"storageClass,omitempty"`
	Selector      *metav1.LabelSelector `json:"selector,omitempty"`
	SubPath       string                `json:"subPath,omitempty"`
	IsSubPathExpr *bool                 `json:"isSubPathExpr,omitempty"`
	Iops          *int64                `json:"iops,omitempty"`
	Throughput    *int64                `json:"throughput,omitempty"`
	VolumeType    string                `json:"type,omitempty"`
}

// AdditionalVolume is a further volume.
type AdditionalVolume struct {
	Name             string              `json:"name"`
	MountPath        string              `json:"mountPath"`
	SubPath          string              `json:"subPath,omitempty"`
	IsSubPathExpr    *bool               `json:"isSubPathExpr,omitempty"`
	TargetContainers []string            `json:"targetContainers,omitempty"`
	VolumeSource     corev1.VolumeSource `json:"volumeSource"`
}

// CloneDescription says what to start as a copy of.
type CloneDescription struct {
	ClusterName       string `json:"cluster,omitempty"`
	UID               string `json:"uid,omitempty"`
	EndTimestamp      string `json:"timestamp,omitempty"`
	S3WalPath         string `json:"s3_wal_path,omitempty"`
	S3Endpoint        string `json:"s3_endpoint,omitempty"`
	S3AccessKeyID     string `json:"s3_access_key_id,omitempty"`
	S3SecretAccessKey string `json:"s3_secret_access_key,omitempty"`
	S3ForcePathStyle  *bool  `json:"s3_force_path_style,omitempty"`
}

// StandbyDescription says what to follow.
type StandbyDescription struct {
	S3WalPath       string `json:"s3_wal_path,omitempty"`
	GSWalPath       string `json:"gs_wal_path,omitempty"`
	StandbyHost     string `json:"standby_host,omitempty"`
	StandbyPort     string `json:"standby_port,omitempty"`
	PrimarySlotName string `json:"standby_primary_slot_name,omitempty"`
}

// TLSDescription is the server's certificate.
type TLSDescription struct {
	SecretName      string `json:"secretName,omitempty"`
	CertificateFile string `json:"certificateFile,omitempty"`
	PrivateKeyFile  string `json:"privateKeyFile,omitempty"`
	CAFile          string `json:"caFile,omitempty"`
	CASecretName    string `json:"caSecretName,omitempty"`
}

// ConnectionPooler has the poolers' settings.
type ConnectionPooler struct {
	NumberOfInstances *int32     `json:"numberOfInstances,omitempty"`
	Schema            string     `json:"schema,omitempty"`
	User              string     `json:"user,omitempty"`
	Mode              string     `json:"mode,omitempty"`
	DockerImage       string     `json:"dockerImage,omitempty"`
	MaxDBConnections  *int32     `json:"maxDBConnections,omitempty"`
	Resources         *Resources `json:"resources,omitempty"`
}

// Stream is a change stream.
type Stream struct {
	ApplicationID  string                 `json:"applicationId"`
	Database       string                 `json:"database"`
	Tables         map[string]StreamTable `json:"tables"`
	Filter         map[string]*string     `json:"filter,omitempty"`
	BatchSize      *uint32                `json:"batchSize,omitempty"`
	CPU            *string                `json:"cpu,omitempty"`
	Memory         *string                `json:"memory,omitempty"`
	EnableRecovery *bool                  `json:"enableRecovery,omitempty"`
}

// StreamTable is one table of a stream.
type StreamTable struct {
	EventType         string  `json:"eventType"`
	RecoveryEventType string  `json:"recoveryEventType,omitempty"`
	IgnoreRecovery    *bool   `json:"ignoreRecovery,omitempty"`
	IDColumn          *string `json:"idColumn,omitempty"`
	PayloadColumn     *string `json:"payloadColumn,omitempty"`
}
