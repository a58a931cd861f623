//! Parameters of the group `scalyr`.  // table

use crate::secret::Secret;
use crate::units::Quantity;

section! {
    /// Log shipping by a Scalyr sidecar, added when both key and image are set.
    Scalyr as scalyr {
        /// API key of the Scalyr agent.
        scalyr_api_key: Option<Secret> = "" => Pods [secret(), deprecated("use sidecars")];
        /// Image of the Scalyr agent.
        scalyr_image: Option<String> = "" => Pods [deprecated("use sidecars")];
        /// Address that logs are sent to.
        scalyr_server_url: Option<String> = "https://upload.eu.scalyr.com" => Pods
            [fallback(""), deprecated("use sidecars")];
        /// CPU request of the sidecar.
        scalyr_cpu_request: Option<Quantity> = "100m" => Pods [cpu(), fallback(""), deprecated("use sidecars")];
        /// Memory request of the sidecar.
        scalyr_memory_request: Option<Quantity> = "50Mi" => Pods [memory(), fallback(""), deprecated("use sidecars")];
        /// CPU limit of the sidecar.
        scalyr_cpu_limit: Option<Quantity> = "1" => Pods [cpu(), fallback(""), deprecated("use sidecars")];
        /// Memory limit of the sidecar.
        scalyr_memory_limit: Option<Quantity> = "500Mi" => Pods [memory(), fallback(""), deprecated("use sidecars")];
    }
}
