//! Parameters of the group `users`.  // table

section! {
    /// Roles that the operator itself makes, and password rotation.
    Users as users {
        /// Name of the superuser.
        super_username: String = "postgres" => Pods | Roles;
        /// Name of the role that replicas connect with.
        replication_username: String = "standby" => Pods | Roles;
        /// Roles that every database owner becomes a member of.
        additional_owner_roles: Vec<String> = "" => Roles;
        /// Rotate the passwords of all roles that do not opt out.
        enable_password_rotation: bool = "false" => Roles;
        /// Days between two rotations.
        password_rotation_interval: u32 = "90" => Roles [zero_is_unset()];
        /// Days for which a role that rotation replaced is kept; at least twice the interval.
        password_rotation_user_retention: u32 = "180" => Roles [schema("120"), zero_is_unset()];
    }
}
