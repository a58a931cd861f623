//! Parameters of the group `teams_api`.  // table

use indexmap::IndexMap;

section! {
    /// Roles for people: teams from an HTTP interface and from PostgresTeam objects.
    TeamsApi as teams_api {
        /// Ask the teams API who belongs to a team.
        enable_teams_api: bool = "true" => Roles [crd("false")];
        /// Address of the teams API.
        teams_api_url: String = "https://teams.example.com/api/" => Roles;
        /// Settings of the roles of team members, as by `ALTER ROLE SET`.
        team_api_role_configuration: IndexMap<String, String> = "log_statement:all" => Roles;
        /// Make team members superusers.
        enable_team_superuser: bool = "false" => Roles;
        /// Role that team members become members of when they are not superusers.
        team_admin_role: Option<String> = "admin" => Roles [fallback("")];
        /// Make the admin role the administrator of the roles that people make.
        enable_admin_role_for_users: bool = "true" => Roles [fallback("false")];
        /// Role of all people, by which pg_hba knows that they authenticate through PAM.
        pam_role_name: String = "zalandos" => Pods | Roles;
        /// Configuration of the OAuth2 PAM module.
        pam_configuration: String =
            "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees" => Pods;
        /// Role names that manifests and team members cannot take.
        protected_role_names: Vec<String> = "admin,cron_admin" => Roles;
        /// Teams whose members are superusers in every cluster.
        postgres_superuser_teams: Vec<String> = "" => Roles;
        /// Watch PostgresTeam objects for more teams and members.
        enable_postgres_team_crd: bool = "false" => Roles [schema("true")];
        /// Let PostgresTeam objects name superuser teams.
        enable_postgres_team_crd_superusers: bool = "false" => Roles;
        /// Rename the roles of people who left a team and forbid them to log in.
        enable_team_member_deprecation: bool = "false" => Roles;
        /// What is put behind the name of such a role.
        role_deletion_suffix: String = "_deleted" => Roles;
    }
}
